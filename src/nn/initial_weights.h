#pragma once

#include <torch/nn/init.h>
#include <torch/nn/modules/linear.h>

namespace cosformer::nn {

/// A linear layer with bias 0 and weights from a normal distribution of this deviation.
inline std::shared_ptr<torch::nn::LinearImpl> normal_linear(int64_t in, int64_t out, double deviation) {
  auto linear = std::make_shared<torch::nn::LinearImpl>(in, out);
  torch::nn::init::normal_(linear->weight, 0, deviation);
  torch::nn::init::zeros_(linear->bias);
  return linear;
}

/// GPT-2's deviation for tables and layers that feed the residual stream.
inline constexpr double kDeviation = 0.02;

}  // namespace cosformer::nn
