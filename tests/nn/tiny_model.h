#pragma once

#include <torch/types.h>
#include <torch/utils.h>

#include <string>
#include <vector>

#include "cosformer/nn/language_model.h"

/// Small models and what their logits may differ by.
namespace cosformer::nn::test {

inline const std::vector<std::string> kKinds = {"cosformer", "linear", "softmax"};
inline const std::vector<std::string> kPositions = {"learned", "sinusoidal"};

inline LanguageModelConfig tiny_config(const std::string& attention, const std::string& positions = "learned",
                                       const std::string& ffn = "gelu") {
  LanguageModelConfig config;
  config.vocabulary_size = 11;
  config.layers = 2;
  config.width = 24;
  config.heads = 3;
  config.ffn_width = 40;
  config.attention = attention;
  if (attention == "cosformer") {
    config.horizon = 32;
  }
  config.ffn = ffn;
  config.positions = positions;
  config.max_length = 32;
  return config;
}

inline LanguageModel tiny_model(const LanguageModelConfig& config, uint64_t seed = 1) {
  torch::manual_seed(seed);
  LanguageModel model(config);
  // Biases and norms away from 0 and 1, so that each of them shows in the logits.
  const torch::NoGradGuard no_gradients;
  for (auto& parameter : model->parameters()) {
    parameter.add_(0.2 * torch::randn_like(parameter));
  }
  model->eval();
  return model;
}

inline torch::Tensor tiny_tokens(int64_t rows, int64_t length, uint64_t seed = 2) {
  torch::manual_seed(seed);
  return torch::randint(11, {rows, length}, torch::kInt64);
}

/// Two orders of summation of one value differ by at most (terms) * epsilon * (sum of sizes). The longest
/// chain of terms to a logit goes through every layer's projections, ffn and T visible tokens; 4 stands for
/// the sum of sizes over the size of the sum.
inline double rounding_bound(const LanguageModelConfig& config, const torch::Tensor& logits, int64_t length) {
  const double terms =
      static_cast<double>(config.layers * (3 * config.width + config.ffn_width + 2 * length) + config.width);
  const double epsilon = logits.scalar_type() == torch::kFloat64 ? 0x1p-53 : 0x1p-24;
  return 4 * terms * epsilon * logits.abs().max().item<double>();
}

inline double largest_difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace cosformer::nn::test
