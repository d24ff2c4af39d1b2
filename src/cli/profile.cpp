// cosformer profile RECIPE: where the time of a training step goes.

#include <ATen/record_function.h>
#include <c10/core/AutogradState.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "bench/peak.h"
#include "cli/checks.h"
#include "cli/profile/product_peak.h"
#include "cli/profile/recorder.h"
#include "cli/profile/report.h"
#include "cli/recipe_overrides.h"
#include "cli/table.h"
#include "cli/trial.h"
#include "cli/verbs.h"
#include "io/atomic_file.h"
#include "train/device.h"

namespace cosformer::cli {
namespace {

struct Flags {
  std::string recipe, trace;
  int64_t steps = 3;
};

/// Before or after the steps: of the best instruction that the processor has, or of products on a GPU in the
/// type that the recipe multiplies.
double peak(const train::Recipe& recipe) {
  if (recipe.train.device == "cpu") {
    return bench::peak_arithmetic(available_isas().back(), bench::Operand::float32,
                                  static_cast<int>(recipe.threads));
  }
  const bool rounded = recipe.train.precision == "bfloat16";
  return product_peak(train::open_device(recipe.train.device), rounded ? at::kBFloat16 : at::kFloat,
                      rounded ? 8192 : 4096);
}

nn::Operations step_operations(const Trial& trial) {
  nn::Operations o = nn::training_operations(trial.recipe().model, trial.recipe().train.sequence_length);
  for (double* part : {&o.projections, &o.attention, &o.ffn, &o.head})
    *part *= static_cast<double>(trial.step_tokens());
  return o;
}

std::vector<PlacedEvent> recorded_steps(train::Trainer& trainer, int64_t steps) {
  const OperatorRecorder recorder;
  for (int64_t i = 0; i < steps; ++i) {
    RECORD_USER_SCOPE(kStepEvent);
    trainer.step();
  }
  return placed(recorder.events());
}

/// So that an operator's time is that of its kernels, and all of them are seen by one thread.
void wait_for_each_kernel() {
  ::setenv("CUDA_LAUNCH_BLOCKING", "1", 1);
  c10::AutogradState::get_tls_state().set_multithreading_enabled(false);
}

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  train::Recipe asked = train::read_recipe(flags.recipe, recipe_overrides(arguments));
  const bool on_gpu = asked.train.device == "cuda";
  if (on_gpu) wait_for_each_kernel();
  asked.train.cuda_graphs = false;  // a replay has no parts
  Trial trial(std::move(asked), flags.steps + 1);
  const train::Recipe& recipe = trial.recipe();
  timed_step(trial.trainer());
  ProfileFacts facts{.steps = flags.steps,
                     .thread = OperatorRecorder::this_thread(),
                     .operations = step_operations(trial),
                     .peak = peak(recipe)};
  const auto events = recorded_steps(trial.trainer(), flags.steps);
  facts.peak = std::max(facts.peak, peak(recipe));
  const std::string where =
      (on_gpu ? "each kernel waited for" : std::to_string(recipe.threads) + " threads") + ", peak " +
      fixed(facts.peak / 1e9, 1) + " GFLOP/s" + (on_gpu ? " of " + recipe.train.precision + " products" : "");
  std::printf("%s, %lld tokens a step in sequences of %lld%s, %s\n\n", recipe.model.attention.c_str(),
              static_cast<long long>(trial.step_tokens()),
              static_cast<long long>(recipe.train.sequence_length),
              trial.has_data() ? "" : " (random bytes: no data there)", where.c_str());
  std::fputs(profile_table(events, facts).c_str(), stdout);
  if (!flags.trace.empty()) io::write_file(flags.trace, trace_json(events, facts.thread));
}

}  // namespace

void add_profile(CLI::App& app) {
  auto* verb = app.add_subcommand("profile", "where the time of a training step goes");
  auto flags = std::make_shared<Flags>();
  verb->add_option("recipe", flags->recipe, "TOML file")->required()->check(named("a TOML file"));
  verb->add_option("--steps", flags->steps, "steps that are recorded, after one that is not")
      ->check(count(1))
      ->capture_default_str();
  verb->add_option("--trace", flags->trace, "file for a trace that Perfetto and chrome://tracing open");
  verb->allow_extras();
  verb->footer("--KEY=VALUE overrides a key of the recipe, such as --train.batch_size=1.");
  verb->callback([flags, verb] { run(*flags, verb->remaining()); });
}

}  // namespace cosformer::cli
