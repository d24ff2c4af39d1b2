#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "cosformer/ops/attention.h"
#include "ops/tensors.h"

namespace cosformer::ops::testing {
namespace {

struct State {
  at::Tensor S, z, position;
};

State empty_state(int64_t B, int64_t G, int64_t N, int64_t K, int64_t V, at::ScalarType dtype) {
  const auto sums = state_type(dtype);
  return {at::zeros({B, G, N, K, V}, sums), at::zeros({B, G, N, K}, sums), at::zeros({B}, at::kLong)};
}

double epsilon(at::ScalarType dtype) {
  return std::ldexp(1.0, dtype == at::kDouble ? -52 : dtype == at::kFloat ? -23 : -8);
}

class Stateful : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  static constexpr int64_t kLength = 50;
  // Sums of kLength terms in another order; in bfloat16 the outputs' rounding is more than that.
  const double bound_ = (GetParam() == at::kBFloat16 ? 4 : 4 * kLength) * epsilon(GetParam());
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

TEST_P(Stateful, StepsOfGroupsWithDecayEqualOneCall) {
  const auto query = values({2, kLength, 6, 8}, 1, GetParam());
  const auto decay = at::tensor({0.0F, 0.1F, 1.0F});
  for (const bool normalize : {true, false}) {
    const auto [S, z, position] = start();
    const auto [output, S_end, z_end, position_end] = attention_stateful(
        query, inputs_.key, inputs_.value, S, z, position, kLength, {.decay = decay, .normalize = normalize});
    std::vector<at::Tensor> steps;
    for (int64_t t = 0; t < kLength; ++t) {
      const auto token = [t](const at::Tensor& x) { return x.slice(1, t, t + 1); };
      steps.push_back(attention_step_(token(query), token(inputs_.key), token(inputs_.value), S, z, position,
                                      kLength, {.decay = decay, .normalize = normalize}));
    }
    EXPECT_LE(relative_error(at::cat(steps, 1), output), bound_);
    EXPECT_LE(relative_error(S, S_end), bound_);
    EXPECT_LE(relative_error(z, z_end), bound_);
    EXPECT_TRUE(at::equal(position, position_end));
  }
}

TEST_P(Stateful, StatesOfStretchesAddUp) {
  const auto stretch = [&](int64_t first, int64_t last, const StateOptions& options) {
    const auto position = at::full({2}, first, at::kLong);
    return attention_state(inputs_.key.slice(1, first, last), inputs_.value.slice(1, first, last), position,
                           kLength, options);
  };
  for (const bool decays : {false, true}) {
    StateOptions options;
    if (decays) options.decay = at::tensor({0.0F, 0.1F, 1.0F});
    const auto [S, z] = stretch(0, kLength, options);
    const auto [S1, z1] = stretch(0, 20, options);
    const auto [S2, z2] = stretch(20, kLength, options);
    const auto faded =
        options.decay.value_or(at::zeros({3})).to(at::kDouble).mul(-30.0).exp().view({3, 1, 1});
    EXPECT_LE(relative_error(S1 * faded.unsqueeze(-1) + S2, S), bound_);
    EXPECT_LE(relative_error(z1 * faded + z2, z), bound_);
    // What a query reads from the state before it and its own token is attention.
    if (decays) continue;
    const auto read = attention_read(inputs_.query.slice(1, kLength - 1), S, z,
                                     at::full({2}, kLength - 1, at::kLong), kLength);
    EXPECT_LE(relative_error(read, whole_.slice(1, kLength - 1)), bound_);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Stateful, ::testing::Values(at::kFloat, at::kBFloat16, at::kDouble));

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
