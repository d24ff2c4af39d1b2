#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

namespace cosformer::train {

/// The steps since the last line of the training loss in metrics.jsonl.
struct StepWindow {
  /// Sum and number of the targets' losses; a checkpoint has them and the spikes.
  double loss = 0;
  int64_t predicted = 0;
  int64_t spikes = 0;  ///< steps whose loss was one (loss_statistics.h)
  /// Of this process alone.
  double seconds = 0;
  double saving_seconds = 0;  ///< that training waited for checkpoints
  int64_t tokens = 0;

  /// @param mean_loss over the step's `targets`
  void add(double mean_loss, int64_t targets, bool is_spike, double step_seconds);

  /// The line; a new window begins.
  nlohmann::ordered_json take_line(int64_t step, double learning_rate, double gradient_norm,
                                   int64_t skipped_steps);
};

}  // namespace cosformer::train
