#pragma once

#include <torch/torch.h>

namespace cosformer::nn {

/// A linear layer with bias 0 and weights from a normal distribution of this deviation.
inline torch::nn::Linear normal_linear(int64_t in, int64_t out, double deviation) {
  torch::nn::Linear linear(in, out);
  torch::nn::init::normal_(linear->weight, 0, deviation);
  torch::nn::init::zeros_(linear->bias);
  return linear;
}

/// GPT-2's deviation for tables and layers that feed the residual stream.
inline constexpr double kDeviation = 0.02;

}  // namespace cosformer::nn
