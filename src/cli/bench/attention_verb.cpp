#include <cstdio>
#include <memory>

#include "cli/bench/attention.h"
#include "cli/bench/flags.h"
#include "cli/bench/processes.h"
#include "cli/bench/variants.h"
#include "cli/bench/verbs.h"
#include "cosformer/isa.h"
#include "io/atomic_file.h"

namespace cosformer::cli {
namespace {

struct AttentionFlags {
  AttentionBenchOptions options;
  std::vector<std::string> isas = {"all"}, forms = {"automatic"}, dtypes = {"float32"}, masks = {"causal"};
  int processes = 1;
  bool memory = false, variants = false;
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
  if (names == std::vector<std::string>{"automatic"}) return {Form::automatic};
  return parse_words("--forms", names, std::vector{Form::quadratic, Form::chunked, Form::recurrent});
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

void run_variants(const AttentionFlags& flags) {
  if (flags.processes != 1 || !flags.svg.empty())
    throw UsageError("--variants: one process times both sides in turns, and there is no chart");
  const nlohmann::json report = bench_variants(flags.options);
  std::fputs(variants_table(report).c_str(), stdout);
  if (!flags.json.empty()) io::write_file(flags.json, report.dump(1) + "\n");
}

void run_attention(AttentionFlags& flags) {
  if (flags.memory) return run_memory(flags);
  flags.options.isas = parse_isas(flags.isas);
  flags.options.forms = parse_forms(flags.forms);
  flags.options.dtypes = parse_dtypes(flags.dtypes);
  flags.options.masks =
      parse_words("--mask", flags.masks, std::vector{Mask::causal, Mask::noncausal, Mask::cross});
  if (flags.variants) return run_variants(flags);
  const nlohmann::json report = flags.processes == 1 ? bench_attention(flags.options)
                                                     : merged_reports(reports_of_processes(flags.processes));
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
  verb->add_option("--dtype", flags->dtypes, "float32, bfloat16 or all")->delimiter(',');
  verb->add_option("--mask", flags->masks,
                   "causal, noncausal, cross (keys of another sequence as long) or all")
      ->delimiter(',');
  verb->add_option("--isa", flags->isas,
                   "instruction sets of the kernel library: generic, avx2, avx512, avx512_bf16, amx or all")
      ->delimiter(',');
  verb->add_option("--forms", flags->forms, "automatic, or quadratic, chunked, recurrent or all three")
      ->delimiter(',');
  verb->add_option("--threads", o.threads, "threads")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_option("--rounds", o.rounds, "rounds; the best counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  verb->add_option("--processes", flags->processes, "processes, one after another; the best of all counts")
      ->check(CLI::Range(1, 100))
      ->take_last()
      ->capture_default_str();
  verb->add_option("--longest-sdpa", o.longest_sdpa, "SDPA is skipped beyond this length")
      ->capture_default_str();
  verb->add_flag("--peers", o.peers,
                 "also plain LibTorch, and fast-transformers where Python has it, in float32");
  verb->add_option("--python", o.python, "Python for fast-transformers")->capture_default_str();
  verb->add_flag(
      "--variants", flags->variants,
      "instead: padding, packing, strides, grouped heads, decay and no normalisation beside the dense "
      "case");
  verb->add_flag("--memory", flags->memory,
                 "peak memory of forward with backward at T = 65,536 instead of times");
  verb->add_option("--json", flags->json, "file for the whole report")->take_last();
  verb->add_option("--svg", flags->svg, "file for charts of time and percent of the roofline")->take_last();
  verb->callback([flags] { run_attention(*flags); });
}

}  // namespace cosformer::cli
