#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "train/recipe.h"

namespace cosformer::train {

struct TrainProgress {
  int64_t step, steps;
  double loss;        ///< of the step
  int64_t predicted;  ///< tokens of the step
  std::optional<double> valid_loss;
};

struct TrainObserver {
  std::function<void(const TrainProgress&)> on_step;
  std::function<void(const std::string&)> on_note;  ///< one line
};

struct TrainResult {
  int64_t step = 0;
  /// The signal or key (train.time_limit) that stopped the run before its end; the checkpoint of `step` is
  /// written.
  std::optional<std::string> stopped_by;
};

struct TrainOptions {
  bool resume = false;  ///< continue the run in the folder, if there is one
  /// Of a model whose last weights a run without a checkpoint begins with, where their names and shapes fit;
  /// empty: none.
  std::filesystem::path initial_model;
};

/// Trains by a recipe in a folder (run_folder.h), or continues what is there, from its newest whole
/// checkpoint or, without one, from the first step. What an interrupted and continued run leaves behind is
/// equal, bit for bit, to what an uninterrupted one on the same machine leaves, but for times and run.json.
/// @throws IoError, FormatError, TrainingError
TrainResult train(Recipe recipe, const std::filesystem::path& folder, const TrainOptions& options,
                  const TrainObserver& observer);

}  // namespace cosformer::train
