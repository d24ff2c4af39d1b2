#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>

#include "cli/bench/compare.h"
#include "cli/bench/machine.h"
#include "cli/bench/verbs.h"
#include "cli/run_curves.h"
#include "cli/usage_error.h"
#include "io/atomic_file.h"

namespace cosformer::cli {
namespace {

struct CompareFlags {
  CompareOptions options;
  std::string json, svg_loss, svg_time;
};

void run_compare(const CompareFlags& flags) {
  const CompareOptions& o = flags.options;
  if (o.prompt.empty()) throw UsageError("--prompt: expected text, got none");
  const nlohmann::json machine = machine_json(o.threads);
  const std::string note = machine["processor"].get<std::string>() + ", " + std::to_string(o.threads) +
                           " threads, LibTorch " + machine["libtorch"].get<std::string>() + ", cosformer " +
                           machine["version"].get<std::string>() + " (" +
                           machine["commit"].get<std::string>() + ")";
  const std::vector<ModelReport> models = compare(o);
  std::fputs(compare_table(models, o.prompt).c_str(), stdout);
  if (!flags.json.empty()) io::write_file(flags.json, compare_json(models).dump(2) + "\n");
  if (!flags.svg_loss.empty()) {
    io::write_file(flags.svg_loss,
                   metric_chart(o.runs, "valid", "loss", "Validation loss against step", note));
  }
  if (!flags.svg_time.empty()) {
    io::write_file(flags.svg_time,
                   compare_time_chart(models, "random weights, horizon = length, best of " +
                                                  std::to_string(o.rounds) + " rounds, " + note));
  }
}

}  // namespace

void add_compare(CLI::App& bench) {
  auto* verb =
      bench.add_subcommand("compare", "what byte-level runs reached, and what their attention costs");
  auto flags = std::make_shared<CompareFlags>();
  CompareOptions& o = flags->options;
  o.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  verb->add_option("runs", o.runs, "folders of runs")->required();
  verb->add_option("--lengths", o.lengths, "lengths at which an attention layer is timed")
      ->delimiter(',')
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
  verb->add_option("--threads", o.threads, "threads")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_option("--rounds", o.rounds, "rounds; the best counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  verb->add_option("--prompt", o.prompt, "what the samples continue")->capture_default_str();
  verb->add_option("--tokens", o.tokens, "bytes of a sample")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  verb->add_option("--json", flags->json, "file for the results");
  verb->add_option("--svg-loss", flags->svg_loss, "file for a chart of validation loss against step");
  verb->add_option("--svg-time", flags->svg_time, "file for a chart of milliseconds against length");
  verb->callback([flags] { run_compare(*flags); });
}

}  // namespace cosformer::cli
