#pragma once

#include <string>
#include <vector>

#include "cli/profile/parts.h"
#include "cosformer/nn/costs.h"

namespace cosformer::cli {

/// What the table says of the run beside the events.
struct ProfileFacts {
  int64_t steps = 0;            ///< recorded
  uint64_t thread = 0;          ///< that ran them
  nn::Operations operations{};  ///< of a step, by nn::training_operations
  double peak = 0;              ///< operations a second; 0: not known
};

/// Percent of the steps' time outside matrix products, attention and the softmax of the loss.
double percent_outside(const std::array<int64_t, kParts>& times);

/// Milliseconds a step, share, operations and percent of the peak for each part, then the operators that take
/// the most time.
std::string profile_table(const std::vector<PlacedEvent>& events, const ProfileFacts& facts);

/// The events in the JSON that chrome://tracing and Perfetto open; a category is a part.
std::string trace_json(const std::vector<PlacedEvent>& events, uint64_t thread);

}  // namespace cosformer::cli
