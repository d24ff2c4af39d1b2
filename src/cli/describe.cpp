// cosformer describe RECIPE|DIR: what a model costs, computed from its sizes alone, and with --measure how
// long its training takes here; describe --cpu: which kernels run here.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>

#include "cli/checks.h"
#include "cli/describe_cpu.h"
#include "cli/describe_ranks.h"
#include "cli/recipe_overrides.h"
#include "cli/table.h"
#include "cli/trial.h"
#include "cli/usage_error.h"
#include "cli/verbs.h"
#include "cosformer/nn/costs.h"
#include "cosformer/nn/model_folder.h"
#include "data/tokenizer.h"
#include "io/chart_axis.h"
#include "train/run_folder.h"
#include "train/scaling.h"

namespace cosformer::cli {
namespace {

constexpr double kMeasuredSeconds = 5;

std::string with_unit(double value, const char* unit, double base) {
  const char* const prefixes[] = {"", "k", "M", "G", "T", "P"};
  std::size_t i = 0;
  for (; value >= base && i + 1 < std::size(prefixes); ++i) value /= base;
  return fixed(value, i == 0 ? 0 : 2) + ' ' + prefixes[i] + unit;
}

void describe(const nn::LanguageModelConfig& config, const train::Recipe& recipe) {
  const int64_t rows = recipe.train.batch_size, length = recipe.train.sequence_length;
  const nn::ParameterCounts parameters = nn::parameters(config);
  const nn::Operations forward = nn::forward_operations(config, length);
  const nn::Operations training = nn::training_operations(config, length);
  const nn::TrainingMemory memory = nn::training_memory(config, train::training_size(recipe, rows, length));
  std::printf("%s, %lld layers, width %lld, %lld heads, vocabulary %lld, T = %lld\n\n",
              config.attention.c_str(), static_cast<long long>(config.layers),
              static_cast<long long>(config.width), static_cast<long long>(config.heads),
              static_cast<long long>(config.vocabulary_size), static_cast<long long>(length));
  Table parts({"", "parameters", "forward FLOP/token", "training FLOP/token"}, 1);
  const auto add = [&](const char* part, int64_t count, double forward_operations,
                       double training_operations) {
    parts.add({part, std::to_string(count), fixed(forward_operations, 0), fixed(training_operations, 0)});
  };
  add("embedding and positions", parameters.embedding + parameters.positions, 0, 0);
  add("projections", parameters.projections, forward.projections, training.projections);
  add("attention", 0, forward.attention, training.attention);
  add("feed-forward", parameters.ffn, forward.ffn, training.ffn);
  add("norms", parameters.norms, 0, 0);
  add("head", parameters.head, forward.head, training.head);
  add("total", parameters.total(), forward.total(), training.total());
  std::printf("%s\n", parts.text().c_str());
  Table sizes({"", "memory"}, 1);
  const auto bytes = [](int64_t value) { return with_unit(static_cast<double>(value), "B", 1000); };
  sizes.add({"weights, gradients, moments", bytes(memory.weights + memory.gradients + memory.moments)});
  sizes.add({"activations of " + std::to_string(rows) + " x " + std::to_string(length) + " tokens",
             bytes(memory.activations)});
  sizes.add({"a training step, at most", bytes(memory.peak)});
  sizes.add({"decoder state of one sequence", bytes(nn::decoder_state_bytes(config, length))});
  std::printf("%s", sizes.text().c_str());
}

std::string duration(double seconds) {
  if (seconds < 100) return fixed(seconds, seconds < 10 ? 3 : 1) + " s";
  if (seconds < 100 * 60) return fixed(seconds / 60, 1) + " min";
  if (seconds < 100 * 3600) return fixed(seconds / 3600, 1) + " h";
  return fixed(seconds / 86400, 1) + " days";
}

/// The median of some steps' seconds, and how many they were.
std::pair<double, std::size_t> step_seconds(Trial& trial) {
  std::vector<double> seconds = timed_steps(trial.trainer(), kMeasuredSeconds);
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2),
                   seconds.end());
  return {seconds[seconds.size() / 2], seconds.size()};
}

/// Runs some steps and says how long an epoch and the run take at their rate.
void measure(const train::Recipe& recipe) {
  Trial trial(recipe, 1);
  const auto [step, count] = step_seconds(trial);
  const auto tokens = static_cast<double>(trial.step_tokens());
  Table rates({"", "measured"}, 1);
  rates.add({"tokens a second", io::readable_number(tokens / step, 1)});
  rates.add({"a step", duration(step)});
  if (trial.has_data()) {
    const double steps = static_cast<double>(trial.epoch_tokens()) / tokens;
    rates.add({"steps an epoch", fixed(steps, 1)});
    rates.add({"an epoch", duration(steps * step)});
  }
  const auto steps = static_cast<double>(recipe.train.steps);
  rates.add({"the run, " + io::readable_number(steps, 1) + " steps", duration(steps * step)});
  std::printf("\n%s\nThe median of %zu steps on %s, %lld threads; validations and checkpoints come on top.\n",
              rates.text().c_str(), count,
              trial.has_data() ? "the recipe's data" : "random bytes, since data.path does not exist",
              static_cast<long long>(recipe.threads));
}

struct Flags {
  std::string place;
  bool cpu = false, measure = false;
  int64_t ranks = 0;
  double link = 0, rate = 0, latency = 50;
};

/// Of one rank, from some steps, unless it is given.
double operations_per_second(const train::Recipe& recipe, double given) {
  if (given > 0) return 1e9 * given;
  Trial trial(recipe, 1);
  return train::operations_per_token(trial.recipe()) * static_cast<double>(trial.step_tokens()) /
         step_seconds(trial).first;
}

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  const std::string& place = flags.place;
  const std::vector<std::string> overrides = recipe_overrides(arguments);
  const std::filesystem::path path = place;
  const bool is_folder = std::filesystem::is_directory(path);
  if (is_folder) train::read_run_recipe(path);  // what is wrong there is no error of the command line
  train::Recipe recipe = train::read_recipe(is_folder ? path / "recipe.toml" : path, overrides);
  recipe.model.vocabulary_size =
      is_folder ? nn::load_config(path).vocabulary_size
                : data::Tokenizer::of_data(recipe.data.path, data::parse_format(recipe.data.format))
                      .vocabulary_size();
  describe(recipe.model, recipe);
  if (flags.measure) measure(recipe);
  if (flags.ranks == 0) return;
  // One process stands in for a rank, with whole sequences.
  train::Recipe one = recipe;
  one.train.sequence_ranks = 1;
  const train::RankMachine machine{operations_per_second(one, flags.rate), 1e9 * flags.link,
                                   1e-6 * flags.latency};
  std::printf("\n%s", describe_ranks(recipe, flags.ranks, machine).c_str());
}

}  // namespace

void add_describe(CLI::App& app) {
  auto* verb = app.add_subcommand("describe", "parameters, operations and memory of a model");
  auto flags = std::make_shared<Flags>();
  auto* place = verb->add_option("recipe", flags->place, "TOML file, or the folder of a run");
  verb->add_flag("--cpu", flags->cpu, "instead: the instruction sets of this machine, and which are chosen")
      ->excludes(place);
  verb->add_flag("--measure", flags->measure,
                 "also run some steps, for seconds, and say how long an epoch and the run take here");
  auto* ranks = verb->add_option("--ranks", flags->ranks, "also what a step costs on so many processes");
  ranks->check(CLI::Range(int64_t{1}, int64_t{1} << 20))->excludes("--cpu");
  auto* link = verb->add_option("--link", flags->link, "GB a second that a process sends while it receives");
  const CLI::Validator positive =
      number(std::numeric_limits<double>::min(), std::numeric_limits<double>::max(), "a number > 0");
  link->check(positive)->needs(ranks);
  ranks->needs(link);
  verb->add_option("--rate", flags->rate,
                   "GFLOP a second of a process in training; measured here, for seconds, unless given")
      ->check(positive)
      ->needs(ranks);
  verb->add_option("--latency", flags->latency, "microseconds a message between processes")
      ->check(positive)
      ->needs(ranks)
      ->capture_default_str();
  verb->allow_extras();
  verb->footer("--KEY=VALUE overrides a key of the recipe, such as --model.layers=12.");
  verb->callback([flags, verb] {
    if (flags->cpu) {
      if (!verb->remaining().empty() || flags->measure)
        throw UsageError("describe --cpu: expected nothing else");
      std::fputs(describe_cpu().c_str(), stdout);
    } else {
      if (flags->place.empty()) throw UsageError("recipe is required, or --cpu");
      run(*flags, verb->remaining());
    }
  });
}

}  // namespace cosformer::cli
