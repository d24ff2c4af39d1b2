#include "train/loss_statistics.h"

#include <cmath>

namespace cosformer::train {

bool LossStatistics::add(double loss) {
  constexpr int64_t kLeastSteps = 50;
  constexpr double kSigmas = 6, kShare = 0.02;
  const double limit = mean + kSigmas * std::sqrt(variance);
  const bool is_spike = steps >= kLeastSteps && loss > limit;
  const double distance = steps == 0 ? 0 : (is_spike ? limit : loss) - mean;
  if (steps == 0) mean = loss;
  mean += kShare * distance;
  variance = (1 - kShare) * (variance + kShare * distance * distance);
  ++steps;
  return is_spike;
}

}  // namespace cosformer::train
