// cosformer describe RECIPE|DIR: what a model costs, computed from its sizes alone; describe --cpu: which
// kernels run here.

#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/describe_cpu.h"
#include "cli/table.h"
#include "cli/usage_error.h"
#include "cli/verbs.h"
#include "cosformer/nn/costs.h"
#include "cosformer/nn/model_folder.h"
#include "data/tokenizer.h"
#include "train/run_folder.h"
#include "train/scaling.h"

namespace cosformer::cli {
namespace {

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

void run(const std::string& place, const std::vector<std::string>& arguments) {
  std::vector<std::string> overrides;
  for (const std::string& argument : arguments) {
    if (!argument.starts_with("--")) throw UsageError(argument + ": expected an override --key=value");
    overrides.push_back(argument.substr(2));
  }
  const std::filesystem::path path = place;
  const bool is_folder = std::filesystem::is_directory(path);
  if (is_folder) train::read_run_recipe(path);  // what is wrong there is no error of the command line
  const train::Recipe recipe = train::read_recipe(is_folder ? path / "recipe.toml" : path, overrides);
  nn::LanguageModelConfig config = recipe.model;
  config.vocabulary_size =
      is_folder ? nn::load_config(path).vocabulary_size
                : data::Tokenizer::of_data(recipe.data.path, data::parse_format(recipe.data.format))
                      .vocabulary_size();
  describe(config, recipe);
}

}  // namespace

void add_describe(CLI::App& app) {
  auto* verb = app.add_subcommand("describe", "parameters, operations and memory of a model");
  struct Flags {
    std::string place;
    bool cpu = false;
  };
  auto flags = std::make_shared<Flags>();
  auto* place = verb->add_option("recipe", flags->place, "TOML file, or the folder of a run");
  verb->add_flag("--cpu", flags->cpu, "instead: the instruction sets of this machine, and which are chosen")
      ->excludes(place);
  verb->allow_extras();
  verb->footer("--KEY=VALUE overrides a key of the recipe, such as --model.layers=12.");
  verb->callback([flags, verb] {
    if (flags->cpu) {
      if (!verb->remaining().empty()) throw UsageError("describe --cpu: expected nothing else");
      std::fputs(describe_cpu().c_str(), stdout);
    } else {
      if (flags->place.empty()) throw UsageError("recipe is required, or --cpu");
      run(flags->place, verb->remaining());
    }
  });
}

}  // namespace cosformer::cli
