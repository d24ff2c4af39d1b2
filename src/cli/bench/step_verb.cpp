#include <cstdio>
#include <memory>

#include "cli/bench/flags.h"
#include "cli/bench/step.h"
#include "cli/bench/verbs.h"
#include "io/atomic_file.h"

namespace cosformer::cli {
namespace {

struct StepFlags {
  StepBenchOptions options;
  std::vector<std::string> dtypes = {"float32"};
  std::string json;
};

void run_step(StepFlags& flags) {
  flags.options.dtypes = parse_dtypes(flags.dtypes);
  const nlohmann::json report = bench_step(flags.options);
  std::fputs(step_table(report).c_str(), stdout);
  if (!flags.json.empty()) io::write_file(flags.json, report.dump(1) + "\n");
}

}  // namespace

void add_step(CLI::App& bench) {
  auto* verb = bench.add_subcommand("step", "decoding one token: bandwidth of states, cost of a small call");
  auto flags = std::make_shared<StepFlags>();
  StepBenchOptions& o = flags->options;
  verb->add_option("--dtype", flags->dtypes, "float32, bfloat16 or all")->delimiter(',');
  verb->add_option("--batch", o.batch, "sequences")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  verb->add_option("--heads", o.heads, "heads")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_option("--width", o.width, "width of a head's keys and values")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->add_option("--threads", o.threads, "threads")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_option("--rounds", o.rounds, "rounds; the best counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  verb->add_option("--json", flags->json, "file for the whole report");
  verb->callback([flags] { run_step(*flags); });
}

}  // namespace cosformer::cli
