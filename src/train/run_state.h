#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "train/loss_statistics.h"
#include "train/step_window.h"

namespace cosformer::train {

/// Everything in a checkpoint that is no tensor: state.json.
struct RunState {
  int64_t step = 0;
  int64_t data_position = 0;  ///< sequences taken
  /// The lowest validation loss so far and its step.
  std::optional<double> best_loss;
  int64_t best_step = 0;
  int64_t skipped_steps = 0;  ///< batches whose loss or gradient was not finite
  LossStatistics loss;
  StepWindow window;
  nlohmann::ordered_json data_identity;  ///< data::Tokens::identity of each split, to notice other data
  nlohmann::ordered_json machine;
};

std::string to_json(const RunState& state);

/// @param place for errors
/// @throws FormatError naming the first key that is missing or of another type
RunState run_state_from_json(const std::string& text, const std::string& place);

}  // namespace cosformer::train
