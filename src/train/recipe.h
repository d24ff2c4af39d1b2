#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "cosformer/nn/config.h"

/// What a training run is asked to do: a TOML file of sections data, model, optimizer, schedule and train,
/// and overrides.
namespace cosformer::train {

/// A recipe, or an override of it, that is wrong by itself.
class RecipeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct DataRecipe {
  std::string path;
  std::string format = "bytes";
};

/// optimizer.h says what these do.
struct OptimizerRecipe {
  std::string kind = "adamw";
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.98;
  double eps = 1e-8;
  double momentum = 0.99;  ///< nag alone
  double weight_decay = 0.01;
  std::string decay = "matrices";
  double clip_value = 0;
  double clip_norm = 1;
};

/// schedule.h says what these do.
struct ScheduleRecipe {
  std::string kind = "cosine";
  int64_t warmup_steps = 100;
  double warmup_start = 0;
  double final_fraction = 0.1;
  double power = 1;
  int64_t period = 1000;
  double period_growth = 2;
  double restart_peak = 1;
};

struct TrainRecipe {
  int64_t steps = 1000;
  int64_t batch_size = 16;   ///< sequences a micro-step
  int64_t accumulation = 1;  ///< micro-steps a step
  int64_t sequence_length = 512;
  std::string precision = "float32";
  std::string device = "cpu";  ///< device.h
  bool cuda_graphs = false;    ///< captured_pass.h
  bool recompute = false;
  int64_t skip_non_finite = 0;     ///< batches in a row; 0 = stop at the first
  int64_t evaluate_every = 100;    ///< steps
  int64_t checkpoint_every = 100;  ///< steps
  int64_t keep_checkpoints = 2;
  int64_t log_every = 10;  ///< steps
  /// Evaluations without a lower validation loss before a run ends; 0 = it goes on.
  int64_t patience = 0;
  int64_t time_limit = 0;    ///< seconds before a run stops with a checkpoint; 0 = none
  double average_decay = 0;  ///< of the running average of weights; 0 = none
  double label_smoothing = 0;
  int64_t sample_tokens = 0;   ///< of text that each validation generates
  int64_t sequence_ranks = 1;  ///< processes that share a sequence
  int64_t rank_timeout = 60;   ///< seconds after which a silent process counts as gone
};

struct Recipe {
  int64_t seed = 1;
  int64_t threads = 0;  ///< 0 = the cores at hand; a resolved recipe holds the number
  DataRecipe data;
  /// vocabulary_size comes from the data.
  nn::LanguageModelConfig model;
  OptimizerRecipe optimizer;
  ScheduleRecipe schedule;
  TrainRecipe train;
};

/// A recipe's file with overrides, each `key=value` with a dotted key. What neither of them says about
/// model.horizon (kind cosformer) and model.max_length is train.sequence_length.
/// @throws RecipeError naming the file or override, the key, what was expected and what was got; an unknown
/// key is answered with the nearest known one
Recipe read_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides);

/// @throws RecipeError where the recipe does not fit this number of ranks
void check_ranks(const Recipe& recipe, int64_t count);

/// Every key with its value, sections in order; read_recipe gives the same recipe back.
std::string to_toml(const Recipe& recipe);

/// One line a key: type, unit or range, default and meaning.
std::string recipe_help();

/// A key whose values differ and without which a resumed run would not continue the old one:
/// "train.steps: the run has 100, got 200". Names of files, threads and how often things are written may
/// differ.
std::optional<std::string> find_conflict(const Recipe& of_run, const Recipe& asked);

}  // namespace cosformer::train
