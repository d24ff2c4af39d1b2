#pragma once

#include <torch/torch.h>

#include <vector>

#include "train/recipe.h"

namespace cosformer::train {

/// AdamW: m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
/// w -= rate (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + decay w), decay for matrices alone.
class AdamW {
 public:
  /// @param parameters float32; kept, and their gradients with them
  AdamW(std::vector<torch::Tensor> parameters, const OptimizerRecipe& recipe);

  /// Divides all gradients by one factor where their norm together is above `clip_norm`, other than 0.
  /// @return the norm before
  double clip_gradients() const;

  /// Step number t >= 1, by the gradients, which each parameter has; then clears them.
  void step(double rate, int64_t t);

  /// In the order of the parameters.
  const std::vector<torch::Tensor>& first_moments() const { return first_moments_; }
  const std::vector<torch::Tensor>& second_moments() const { return second_moments_; }

 private:
  std::vector<torch::Tensor> parameters_, first_moments_, second_moments_;
  OptimizerRecipe recipe_;
};

}  // namespace cosformer::train
