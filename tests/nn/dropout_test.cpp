#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <string>

#include "cosformer/nn/attention.h"
#include "cosformer/nn/block.h"

namespace cosformer::nn::test {
namespace {

constexpr double kProbability = 0.25;
constexpr int kDraws = 400;

/// Whether in training the layer gives, besides the bias named, once in 1 / p calls nothing and else what it
/// gives in evaluation times 1 / (1 - p).
template <class Layer>
void expect_dropped_or_scaled(Layer layer, const torch::Tensor& x, const std::string& bias_name) {
  const torch::NoGradGuard no_gradients;
  layer->eval();
  const torch::Tensor bias = layer->named_parameters()[bias_name];
  const torch::Tensor scaled = bias + (layer->forward(x) - bias) / (1 - kProbability);
  layer->train();
  int dropped = 0;
  for (int i = 0; i < kDraws; ++i) {
    const torch::Tensor got = layer->forward(x);
    const bool none = torch::allclose(got, bias.expand_as(got), 1e-5, 1e-6);
    EXPECT_TRUE(none || torch::allclose(got, scaled, 1e-5, 1e-6)) << got;
    dropped += none;
  }
  // Six deviations of the binomial distribution around its mean.
  EXPECT_NEAR(dropped, kDraws * kProbability, 6 * std::sqrt(kDraws * kProbability * (1 - kProbability)));
}

TEST(AttentionDropout, DropsAndScalesTheWeights) {
  torch::manual_seed(1);
  AttentionOptions options{.width = 8, .heads = 1, .kind = "softmax", .horizon = {}};
  options.dropout = kProbability;
  // One token's one weight is 1.
  expect_dropped_or_scaled(MultiHeadAttention(options), torch::randn({1, 1, 8}), "output.bias");
}

TEST(ActivationDropout, DropsAndScalesWhatGoesIntoDown) {
  torch::manual_seed(2);
  for (const bool gated : {false, true}) {
    FeedForwardOptions options{.width = 8, .ffn_width = 1, .gated = gated};
    options.dropout = kProbability;
    expect_dropped_or_scaled(FeedForward(options), 100 * torch::randn({1, 8}), "down.bias");
  }
}

}  // namespace
}  // namespace cosformer::nn::test
