#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

namespace cosformer::train {

/// The steps since the last line of the training loss in metrics.jsonl.
struct StepWindow {
  /// Sum and number of the targets' losses; a checkpoint has them.
  double loss = 0;
  int64_t predicted = 0;
  /// Of this process alone.
  double seconds = 0;
  int64_t tokens = 0;

  /// @param mean_loss over the step's `targets`
  void add(double mean_loss, int64_t targets, double step_seconds);

  /// The line; a new window begins.
  nlohmann::ordered_json take_line(int64_t step, double learning_rate, double gradient_norm);
};

}  // namespace cosformer::train
