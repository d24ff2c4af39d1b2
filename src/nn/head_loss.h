#pragma once

#include <torch/types.h>

#include <optional>

namespace cosformer::nn {

struct HeadLossOptions {
  double label_smoothing = 0;
  /// What the sum of the losses is divided by; none: the number of targets.
  std::optional<int64_t> divisor = {};
  /// The three products read x, W and the logits' gradient rounded to bfloat16; sums, logits and results stay
  /// float32.
  bool rounded = false;
};

/// Mean natural-log loss of logits x W^T over the targets other than kNoTarget, NaN if there are none; with a
/// divisor their sum over it. The logits [N, v] never exist as a whole: they come and go in chunks that fit
/// the last-level cache, and their gradient is taken in the same pass. With label smoothing s, a target's
/// share of 1 becomes 1 - s + s / v, and each other token's s / v. Work O(N w v); memory O(N w + v w). No
/// second derivative.
/// @param x        [N, w]
/// @param weight   [v, w]
/// @param targets  int64 [N]
torch::Tensor head_loss(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& targets,
                        const HeadLossOptions& options = {});

}  // namespace cosformer::nn
