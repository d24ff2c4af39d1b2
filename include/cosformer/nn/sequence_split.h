#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

namespace cosformer::nn {

/// Sequences whose tokens are split over processes in stretches of equal length, in order: this process has
/// number `index`.
struct SequenceSplit {
  int64_t index = 0, count = 1;
  /// Every process hands in a tensor of equal size and gets all of them, in order. Called once in a forward
  /// pass of attention and once in its backward, by all processes in the same sequence.
  std::function<std::vector<torch::Tensor>(const torch::Tensor&)> gather;

  bool is_split() const { return count > 1; }
};

}  // namespace cosformer::nn
