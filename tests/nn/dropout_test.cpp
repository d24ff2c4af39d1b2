#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "cosformer/nn/attention.h"
#include "cosformer/nn/block.h"

namespace cosformer::nn::test {
namespace {

constexpr double kProbability = 0.25;
constexpr int kDraws = 400;

/// Of `kDraws` calls in training, each of which gives with(1 / (1 - p)) or with(0), how many gave the latter.
template <class Call, class With>
int dropped(const Call& call, const With& with) {
  const torch::Tensor nothing = with(0.0), scaled = with(1 / (1 - kProbability));
  int count = 0;
  for (int i = 0; i < kDraws; ++i) {
    const torch::Tensor got = call();
    const bool none = torch::allclose(got, nothing, 1e-5, 1e-6);
    EXPECT_TRUE(none || torch::allclose(got, scaled, 1e-5, 1e-6)) << got;
    count += none;
  }
  return count;
}

/// Six deviations of the binomial distribution around its mean.
void expect_probability(int count) {
  EXPECT_NEAR(count, kDraws * kProbability, 6 * std::sqrt(kDraws * kProbability * (1 - kProbability)));
}

TEST(AttentionDropout, DropsAndScalesTheWeights) {
  torch::manual_seed(1);
  const torch::NoGradGuard no_gradients;
  AttentionOptions options{.width = 8, .heads = 1, .kind = "softmax", .horizon = {}};
  options.dropout = kProbability;
  MultiHeadAttention attention(options);
  // One token's one weight is 1.
  const torch::Tensor x = torch::randn({1, 1, 8});
  attention->eval();
  const torch::Tensor whole = attention->forward(x);
  const torch::Tensor bias = attention->named_parameters()["output.bias"];
  attention->train();
  expect_probability(dropped([&] { return attention->forward(x); },
                             [&](double weight) { return bias + weight * (whole - bias); }));
}

TEST(ActivationDropout, DropsAndScalesWhatGoesIntoDown) {
  torch::manual_seed(2);
  const torch::NoGradGuard no_gradients;
  for (const bool gated : {false, true}) {
    FeedForwardOptions options{.width = 8, .ffn_width = 1, .gated = gated};
    options.dropout = kProbability;
    FeedForward ffn(options);
    const torch::Tensor x = 100 * torch::randn({1, 8});
    ffn->eval();
    const torch::Tensor whole = ffn->forward(x);
    const torch::Tensor bias = ffn->named_parameters()["down.bias"];
    ffn->train();
    expect_probability(dropped([&] { return ffn->forward(x); },
                               [&](double weight) { return bias + weight * (whole - bias); }));
  }
}

}  // namespace
}  // namespace cosformer::nn::test
