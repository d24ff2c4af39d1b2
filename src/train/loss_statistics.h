#pragma once

#include <cstdint>

namespace cosformer::train {

/// Where a run's training loss stands and how much it scatters: mean and variance over the steps, of which
/// one counts 0.98 times as much as the next.
struct LossStatistics {
  int64_t steps = 0;
  double mean = 0, variance = 0;

  /// Adds a step's loss; a spike counts no more than the least that is one.
  /// @return whether it is a spike: after 50 steps, above the mean by more than 6 standard deviations
  bool add(double loss);
};

}  // namespace cosformer::train
