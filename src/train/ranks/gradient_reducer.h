#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <vector>

#include "train/ranks/buckets.h"
#include "train/ranks/ranks.h"

namespace c10d {
class Reducer;
}

namespace cosformer::train {

/// Adds up gradients over all ranks while the backward pass still runs: c10d's Reducer, in buckets of
/// parameters in reverse order, each sent when its last gradient is there. The buckets never change, so that
/// sums are taken in one order from the first step on, also after a resume.
class GradientReducer {
 public:
  /// @param parameters each of which every backward pass reaches; kept
  GradientReducer(const std::vector<torch::Tensor>& parameters, RankGroup& group,
                  int64_t bucket_bytes = kBucketBytes);
  ~GradientReducer();

  /// Backward of `loss`: gradients are added to those that the parameters have.
  void accumulate(const torch::Tensor& loss);
  /// The same for the last loss of a step; then gradients are sums over all ranks.
  void accumulate_and_sum(const torch::Tensor& loss);

 private:
  std::unique_ptr<c10d::Reducer> reducer_;
};

}  // namespace cosformer::train
