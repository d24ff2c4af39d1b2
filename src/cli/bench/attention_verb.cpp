#include <cstdio>
#include <memory>

#include "cli/bench/attention.h"
#include "cli/bench/verbs.h"
#include "cli/usage_error.h"
#include "cosformer/isa.h"
#include "io/atomic_file.h"

namespace cosformer::cli {
namespace {

struct AttentionFlags {
  AttentionBenchOptions options;
  std::vector<std::string> isas = {"all"}, forms = {"automatic"};
  bool no_causal = false, memory = false;
  std::string json, svg;
};

std::vector<Isa> parse_isas(const std::vector<std::string>& names) {
  std::vector<Isa> isas;
  for (const std::string& text : names) {
    if (text == "all") return available_isas();
    Isa isa;
    try {
      isa = parse_isa(text);
    } catch (const DeviceError& error) {
      throw UsageError(std::string("--isa: ") + error.what());
    }
    if (!available(isa)) throw DeviceError("--isa: this machine lacks the instruction set " + text);
    isas.push_back(isa);
  }
  return isas;
}

std::vector<Form> parse_forms(const std::vector<std::string>& names) {
  std::vector<Form> forms;
  for (const std::string& text : names) {
    if (text == "all") return {Form::quadratic, Form::chunked, Form::recurrent};
    if (text == "automatic")
      forms.push_back(Form::automatic);
    else if (text == "quadratic")
      forms.push_back(Form::quadratic);
    else if (text == "chunked")
      forms.push_back(Form::chunked);
    else if (text == "recurrent")
      forms.push_back(Form::recurrent);
    else
      throw UsageError("--forms: expected automatic, quadratic, chunked, recurrent or all, got " + text);
  }
  return forms;
}

void run_memory(const AttentionFlags& flags) {
  const auto& o = flags.options;
  const nlohmann::json report = bench_attention_memory(65536, o.heads, o.width, o.threads);
  const double inputs = report["inputs_bytes"], beyond = report["beyond_bytes"],
               limit = report["limit_bytes"];
  std::printf(
      "causal forward with backward, T = 65,536, H = %lld, K = V = %lld\n"
      "query, key and value    %8.1f MB\n"
      "beyond inputs, outputs  %8.1f MB\n"
      "at most                 %8.1f MB\n",
      static_cast<long long>(o.heads), static_cast<long long>(o.width), inputs / 1e6, beyond / 1e6,
      limit / 1e6);
  if (!flags.json.empty()) io::write_file(flags.json, report.dump(2) + "\n");
  if (beyond > limit)
    throw std::runtime_error("bench attention: more memory than a tenth of the inputs plus 64 MB");
}

void run_attention(AttentionFlags& flags) {
  flags.options.causal = !flags.no_causal;
  if (flags.memory) return run_memory(flags);
  flags.options.isas = parse_isas(flags.isas);
  flags.options.forms = parse_forms(flags.forms);
  const nlohmann::json report = bench_attention(flags.options);
  std::fputs(attention_table(report).c_str(), stdout);
  if (!flags.json.empty()) io::write_file(flags.json, report.dump(1) + "\n");
  if (!flags.svg.empty()) io::write_file(flags.svg, attention_chart(report));
}

}  // namespace

void add_attention(CLI::App& bench) {
  auto* verb =
      bench.add_subcommand("attention", "time of attention against length, beside softmax attention (SDPA)");
  auto flags = std::make_shared<AttentionFlags>();
  AttentionBenchOptions& o = flags->options;
  verb->add_option("--lengths", o.lengths, "sequence lengths")
      ->delimiter(',')
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
  verb->add_option("--heads", o.heads, "heads")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_option("--width", o.width, "width of a head's keys and values")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->add_option("--isa", flags->isas,
                   "instruction sets of the kernel library: generic, avx2, avx512 or all")
      ->delimiter(',');
  verb->add_option("--forms", flags->forms, "automatic, quadratic, chunked, recurrent or all")
      ->delimiter(',');
  verb->add_option("--threads", o.threads, "threads")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_option("--rounds", o.rounds, "rounds; the best counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  verb->add_option("--longest-sdpa", o.longest_sdpa, "SDPA is skipped beyond this length")
      ->capture_default_str();
  verb->add_flag("--no-causal,!--causal", flags->no_causal, "every token sees every other one");
  verb->add_flag("--memory", flags->memory,
                 "peak memory of forward with backward at T = 65,536 instead of times");
  verb->add_option("--json", flags->json, "file for the whole report");
  verb->add_option("--svg", flags->svg, "file for a chart");
  verb->callback([flags] { run_attention(*flags); });
}

}  // namespace cosformer::cli
