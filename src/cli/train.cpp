// cosformer train RECIPE --output DIR: trains a model by a recipe, or continues a training.

#include "train/train.h"

#include <cstdio>
#include <memory>

#include "cli/checks.h"
#include "cli/own_arguments.h"
#include "cli/progress.h"
#include "cli/recipe_overrides.h"
#include "cli/stopped.h"
#include "cli/usage_error.h"
#include "cli/verbs.h"
#include "train/ranks/environment.h"
#include "train/ranks/launcher.h"
#include "train/recipe.h"
#include "train/replay.h"

namespace cosformer::cli {
namespace {

struct Flags {
  std::string recipe, output, replay;
  int64_t ranks = 1;
  train::TrainOptions options;
};

/// This command line without --ranks, as that many processes.
void launch(int64_t ranks, const train::Recipe& recipe) {
  if (const auto environment = train::rank_environment(); environment && environment->count > 1)
    throw UsageError("--ranks: expected no other launcher's environment, such as RANK and WORLD_SIZE");
  train::check_ranks(recipe, ranks);
  const int code = train::launch_ranks(own_arguments_without("--ranks"), ranks,
                                       std::chrono::seconds(recipe.train.rank_timeout + 5));
  if (code != 0) throw SaidBefore{code};
}

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  if (!flags.replay.empty()) {
    if (!arguments.empty()) throw UsageError("--replay: expected nothing else, got " + arguments.front());
    std::printf("%s\n", train::replay(flags.replay).c_str());
    return;
  }
  const train::Recipe recipe = train::read_recipe(flags.recipe, recipe_overrides(arguments));
  if (flags.ranks > 1) return launch(flags.ranks, recipe);
  train::TrainResult result;
  {
    Progress progress;
    result = train::train(recipe, flags.output, flags.options,
                          {[&](const train::TrainProgress& step) { progress.show(step); },
                           [&](const std::string& line) { progress.note(line); }});
  }
  if (result.stopped_by) {
    throw Stopped("stopped after step " + std::to_string(result.step) + " by " + *result.stopped_by +
                  "; --resume goes on");
  }
}

}  // namespace

void add_train(CLI::App& app) {
  auto* verb = app.add_subcommand("train", "train a model by a recipe");
  auto flags = std::make_shared<Flags>();
  auto* recipe = verb->add_option("recipe", flags->recipe, "TOML file");
  auto* output = verb->add_option("--output", flags->output, "folder of the run")->check(named("a folder"));
  auto* ranks = verb->add_option("--ranks", flags->ranks, "processes on this machine that train together")
                    ->check(CLI::Range(1, 1024));
  auto* resume =
      verb->add_flag("--resume", flags->options.resume, "continue the run in the folder, if there is one");
  auto* init = verb->add_option("--init", flags->options.initial_model,
                                "folder of a model whose weights the run begins with, where they fit")
                   ->check(named("a folder"));
  auto* replay = verb->add_option("--replay", flags->replay,
                                  "instead: repeat a step that was set aside, a file in a run's folder")
                     ->check(named("a file"));
  for (CLI::Option* other : {recipe, output, ranks, resume, init}) replay->excludes(other);
  verb->add_flag_callback(
      "--help-keys",
      [] {
        std::fputs(train::recipe_help().c_str(), stdout);
        throw CLI::Success();
      },
      "print the recipe's keys and exit");
  verb->allow_extras();
  verb->footer("--KEY=VALUE overrides a key of the recipe, such as --train.steps=100.");
  verb->callback([flags, verb] {
    if (flags->replay.empty()) {
      if (flags->recipe.empty()) throw UsageError("recipe is required");
      if (verb->count("--output") == 0) throw UsageError("--output is required");
    }
    run(*flags, verb->remaining());
  });
}

}  // namespace cosformer::cli
