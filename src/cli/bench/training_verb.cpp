// cosformer bench training RECIPE: the seconds of a recipe's steps, one JSON object a line.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/bench/verbs.h"
#include "cli/checks.h"
#include "cli/recipe_overrides.h"
#include "cli/trial.h"
#include "cosformer/nn/model_folder.h"

namespace cosformer::cli {
namespace {

struct Flags {
  std::string recipe, initial_model;
  int64_t steps = 3;
  bool wait = false;
};

/// Until a line comes on stdin. @return false at its end
bool asked() {
  std::string line;
  return static_cast<bool>(std::getline(std::cin, line));
}

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  Trial trial(train::read_recipe(flags.recipe, recipe_overrides(arguments)), flags.steps);
  if (!flags.initial_model.empty())
    trial.trainer().load_fitting_weights(nn::weights_path(flags.initial_model, nn::Weights::kLast));
  for (int64_t i = 0; i < flags.steps && (!flags.wait || asked()); ++i) {
    const TimedStep step = timed_step(trial.trainer());
    const nlohmann::ordered_json line = {{"step", trial.trainer().steps_done()},
                                         {"loss", step.loss},
                                         {"tokens", trial.step_tokens()},
                                         {"step_seconds", step.seconds}};
    std::cout << line.dump() << std::endl;
  }
}

}  // namespace

void add_training(CLI::App& bench) {
  auto* verb = bench.add_subcommand("training", "seconds of a recipe's steps, one JSON object a line");
  auto flags = std::make_shared<Flags>();
  verb->add_option("recipe", flags->recipe, "TOML file")->required()->check(named("a TOML file"));
  verb->add_option("--steps", flags->steps, "steps, the first ones slower")
      ->check(count(1))
      ->capture_default_str();
  verb->add_option("--init", flags->initial_model, "folder of a model whose weights the steps begin with")
      ->check(named("a folder"));
  verb->add_flag("--wait", flags->wait,
                 "take each step when a line comes on stdin, so that another program can alternate with it");
  verb->allow_extras();
  verb->footer("--KEY=VALUE overrides a key of the recipe, such as --train.batch_size=1.");
  verb->callback([flags, verb] { run(*flags, verb->remaining()); });
}

}  // namespace cosformer::cli
