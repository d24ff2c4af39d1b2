#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include "cosformer/ops/attention.h"
#include "ops/tensors.h"

namespace cosformer::ops::testing {
namespace {

struct State {
  at::Tensor S, z, position;
};

State empty_state(int64_t B, int64_t H, int64_t N, int64_t K, int64_t V, at::ScalarType dtype) {
  return {at::zeros({B, H, N, K, V}, dtype), at::zeros({B, H, N, K}, dtype), at::zeros({B}, at::kLong)};
}

class Stateful : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  static constexpr int64_t kLength = 50;
  const double bound_ = 4 * kLength * std::ldexp(1.0, GetParam() == at::kFloat ? -23 : -52);
  const Inputs inputs_ = inputs(2, kLength, kLength, 3, 8, 5, GetParam());
  const at::Tensor whole_ = attention(inputs_.query, inputs_.key, inputs_.value, kLength, true);

  State start() const { return empty_state(2, 3, 2, 8, 5, GetParam()); }
};

TEST_P(Stateful, AnyCutEqualsOneCall) {
  for (const int64_t cut : {0, 1, 20, 49, 50}) {
    auto [S, z, position] = start();
    std::vector<at::Tensor> pieces;
    for (const auto& [first, last] : {std::pair<int64_t, int64_t>{0, cut}, {cut, kLength}}) {
      const auto piece = [&, first = first, last = last](const at::Tensor& x) {
        return x.slice(1, first, last);
      };
      auto [output, S_out, z_out, position_out] = attention_stateful(
          piece(inputs_.query), piece(inputs_.key), piece(inputs_.value), S, z, position, kLength);
      pieces.push_back(output);
      EXPECT_NE(S_out.data_ptr(), S.data_ptr());
      S = S_out, z = z_out, position = position_out;
    }
    EXPECT_LE(relative_error(at::cat(pieces, 1), whole_), bound_) << "cut at " << cut;
    EXPECT_EQ(position[0].item<int64_t>(), kLength);
  }
}

TEST_P(Stateful, StepsEqualOneCallAndAdvanceInPlace) {
  const auto [S, z, position] = start();
  const auto [output, S_end, z_end, position_end] =
      attention_stateful(inputs_.query, inputs_.key, inputs_.value, S, z, position, kLength);
  const auto* before = S.data_ptr();
  std::vector<at::Tensor> steps;
  for (int64_t t = 0; t < kLength; ++t) {
    const auto token = [t](const at::Tensor& x) { return x.slice(1, t, t + 1); };
    steps.push_back(attention_step_(token(inputs_.query), token(inputs_.key), token(inputs_.value), S, z,
                                    position, kLength));
  }
  EXPECT_EQ(S.data_ptr(), before);
  EXPECT_LE(relative_error(at::cat(steps, 1), whole_), bound_);
  EXPECT_LE(relative_error(S, S_end), bound_);
  EXPECT_LE(relative_error(z, z_end), bound_);
  EXPECT_TRUE(at::equal(position, position_end));
}

TEST_P(Stateful, GradientsCrossTheState) {
  const auto leaves = [&] {
    return Inputs{inputs_.query.clone().requires_grad_(), inputs_.key.clone().requires_grad_(),
                  inputs_.value.clone().requires_grad_()};
  };
  const auto one = leaves(), two = leaves();
  attention(one.query, one.key, one.value, kLength, true).square().sum().backward();

  auto [S, z, position] = start();
  at::Tensor loss = at::zeros({}, GetParam());
  for (const auto& [first, last] : {std::pair<int64_t, int64_t>{0, 13}, {13, kLength}}) {
    const auto piece = [&, first = first, last = last](const at::Tensor& x) {
      return x.slice(1, first, last);
    };
    auto [output, S_out, z_out, position_out] =
        attention_stateful(piece(two.query), piece(two.key), piece(two.value), S, z, position, kLength);
    loss = loss + output.square().sum();
    S = S_out, z = z_out, position = position_out;
  }
  loss.backward();
  EXPECT_LE(relative_error(two.query.grad(), one.query.grad()), bound_);
  EXPECT_LE(relative_error(two.key.grad(), one.key.grad()), bound_);
  EXPECT_LE(relative_error(two.value.grad(), one.value.grad()), bound_);
}

INSTANTIATE_TEST_SUITE_P(Types, Stateful, ::testing::Values(at::kFloat, at::kDouble));

TEST(AttentionStep, RunsOnLeavesThatRequireGradUnderNoGrad) {
  auto [query, key, value] = inputs(1, 1, 1, 2, 4, 4);
  query.requires_grad_();
  const auto [S, z, position] = empty_state(1, 2, 1, 4, 4, at::kFloat);
  at::NoGradGuard no_grad;
  const auto output = attention_step_(query, key, value, S, z, position, std::nullopt);
  EXPECT_FALSE(output.requires_grad());
  EXPECT_EQ(position[0].item<int64_t>(), 1);
}

}  // namespace
}  // namespace cosformer::ops::testing
