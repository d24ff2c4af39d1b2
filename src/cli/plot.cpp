// cosformer plot RUN...: a metric of several runs against the step, from their metrics.jsonl; seeds averaged.

#include <cstdio>
#include <memory>

#include "cli/checks.h"
#include "cli/run_curves.h"
#include "cli/verbs.h"
#include "io/atomic_file.h"

namespace cosformer::cli {
namespace {

struct Flags {
  std::vector<std::string> runs;
  std::string output = "plot.svg", split = "valid", metric = "loss";
};

void run(const Flags& flags) {
  io::write_file(flags.output, metric_chart(flags.runs, flags.split, flags.metric));
  std::printf("%s\n", flags.output.c_str());
}

}  // namespace

void add_plot(CLI::App& app) {
  auto* verb =
      app.add_subcommand("plot", "draw a metric of runs against the step, averaged over seeds, as SVG");
  auto flags = std::make_shared<Flags>();
  verb->add_option("runs", flags->runs,
                   "folders of runs; those whose recipes differ in seed alone are one curve with a band")
      ->required()
      ->check(named("a folder"));
  verb->add_option("--output", flags->output, "file to write")->capture_default_str();
  verb->add_option("--split", flags->split, "train, valid or test")
      ->check(CLI::IsMember({"train", "valid", "test"}))
      ->capture_default_str();
  verb->add_option("--metric", flags->metric, "key of metrics.jsonl")->capture_default_str();
  verb->callback([flags] { run(*flags); });
}

}  // namespace cosformer::cli
