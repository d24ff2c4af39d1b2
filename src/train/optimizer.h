#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "train/recipe.h"

namespace cosformer::train {

/// What turns gradients into steps. With g the gradient, d the decay of a weight (0 where it has none), t the
/// step's number and `rate` its learning rate:
///
///   adamw  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///          w -= rate (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + d w)
///   adam   the same with g + d w in place of g, and no other decay
///   nag    m = momentum m + g;  w -= rate (g + momentum m + d w)      (fairseq's nag, SGD with Nesterov's
///   momentum)
class Optimizer {
 public:
  /// @param parameters float32; kept, and their gradients with them
  Optimizer(std::vector<torch::Tensor> parameters, const OptimizerRecipe& recipe);

  /// Limits each gradient's absolute value to `clip_value`, then divides all by one factor where their norm
  /// together is above `clip_norm`; 0 limits nothing.
  /// @return the norm before both
  double clip_gradients() const;

  /// Step number t >= 1, by the gradients, which each parameter has; then clears them.
  void step(double rate, int64_t t);

  /// What a step leaves for the next one: one tensor a parameter.
  struct Memory {
    std::string name;
    std::vector<torch::Tensor> tensors;
  };
  const std::vector<Memory>& memories() const { return memories_; }

 private:
  void step_group(const std::vector<std::size_t>& group, double decay, double rate, int64_t t);

  std::vector<torch::Tensor> parameters_;
  std::vector<Memory> memories_;
  OptimizerRecipe recipe_;
};

}  // namespace cosformer::train
