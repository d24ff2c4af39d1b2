#include "nn/head_loss.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "nn/head_chunk.h"
#include "nn/tiny_model.h"

namespace cosformer::nn::test {
namespace {

struct Case {
  torch::Tensor x, weight, targets;
};

/// A vocabulary so large that the rows fall into several chunks, the last one shorter.
Case large_case(torch::ScalarType type, int64_t rows = 150) {
  torch::manual_seed(3);
  Case c{torch::randn({rows, 6}, type).requires_grad_(), torch::randn({40'000, 6}, type).requires_grad_(),
         torch::randint(40'000, {rows}, torch::kInt64)};
  c.targets[5] = kNoTarget;
  c.targets.slice(0, 120, 130) = kNoTarget;
  return c;
}

torch::Tensor plain_loss(const Case& c, double label_smoothing) {
  return at::cross_entropy_loss(at::linear(c.x, c.weight), c.targets, std::nullopt, at::Reduction::Mean,
                                kNoTarget, label_smoothing);
}

TEST(HeadLoss, ChunksGiveThePlainLossAndGradients) {
  const Case c = large_case(torch::kFloat64);
  ASSERT_LT(2 * head_chunk_rows(150, 40'000), 150);
  for (const double smoothing : {0.0, 0.3}) {
    const torch::Tensor expected = plain_loss(c, smoothing);
    const torch::Tensor got = head_loss(c.x, c.weight, c.targets, {.label_smoothing = smoothing});
    EXPECT_NEAR(got.item<double>(), expected.item<double>(), 1e-12);
    const auto expected_gradients = torch::autograd::grad({3 * expected}, {c.x, c.weight});
    const auto gradients = torch::autograd::grad({3 * got}, {c.x, c.weight});
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_LT(largest_difference(gradients[i], expected_gradients[i]), 1e-13);
      EXPECT_GT(expected_gradients[i].abs().max().item<double>(), 1e-3);
    }
  }
}

TEST(HeadLoss, WithoutGradientsItIsTheSame) {
  const Case c = large_case(torch::kFloat32);
  const float with = head_loss(c.x, c.weight, c.targets).item<float>();
  const torch::NoGradGuard no_gradients;
  EXPECT_EQ(head_loss(c.x, c.weight, c.targets).item<float>(), with);
}

TEST(HeadLoss, OfNoTargetsIsNotANumber) {
  Case c = large_case(torch::kFloat32, 140);
  c.targets.fill_(kNoTarget);
  EXPECT_TRUE(std::isnan(head_loss(c.x, c.weight, c.targets).item<float>()));
}

TEST(HeadLoss, LargeLogitsDoNotOverflow) {
  const torch::Tensor x = torch::tensor({{1000.0, 0.0}, {0.0, -1000.0}}, torch::kFloat32);
  const torch::Tensor weight = torch::tensor({{1.0, 1.0}, {-1.0, 2.0}}, torch::kFloat32);
  const torch::Tensor targets = torch::tensor({1, 0}, torch::kInt64);
  // Logits (1000, -1000) with target 1, and (-1000, -2000) with target 0.
  EXPECT_EQ(head_loss(x, weight, targets).item<float>(), 1000);
}

}  // namespace
}  // namespace cosformer::nn::test
