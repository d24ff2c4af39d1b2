// The in-place step against the reference, and against the stateful forward pass.

#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "kernels/attention_case.h"
#include "kernels/under_test.h"

namespace cosformer::test {
namespace {

struct Difference {
  double error = 0, magnitude = 0;
};

Difference difference(const std::vector<double>& a, const std::vector<double>& b) {
  Difference d;
  for (size_t i = 0; i < a.size(); ++i) {
    d.error = std::max(d.error, std::isnan(a[i]) ? 1e300 : std::abs(a[i] - b[i]));
    d.magnitude = std::max(d.magnitude, std::abs(b[i]));
  }
  return d;
}

TEST(Step, FollowsTheReferenceTokenByToken) {
  for (const Isa isa : under_test::isas()) {
    for (const auto& [K, V] : {std::pair<int64_t, int64_t>{64, 64}, {5, 3}, {16, 70}}) {
      for (const int64_t of_group : {1, 2, 5, 8}) {
        for (const bool with_horizon : {true, false}) {
          Case c;
          c.shape = {.B = 2, .Tq = 1, .Tk = 1, .H = 3 * of_group, .G = 3, .K = K, .V = V};
          const float decay[] = {0, 0.25F, 3};
          if (with_horizon) c.options.horizon = 20;
          c.options.causal = true;
          const int64_t N = c.options.states();
          std::vector<float> S(static_cast<size_t>(2 * 3 * N * K * V)), z(static_cast<size_t>(2 * 3 * N * K));
          std::vector<double> S_exact(S.size()), z_exact(z.size());
          std::vector<int64_t> position{0, 7}, position_exact{0, 7};
          for (int t = 0; t < 12; ++t) {
            c.seed = static_cast<uint64_t>(t + 1);
            const Inputs<float> in(c, false);
            const Inputs<double> exact(c, false);
            Tensor<float> out(2, 1, 3 * of_group, V);
            Tensor<double> out_exact(2, 1, 3 * of_group, V);
            under_test::attention_step({.shape = c.shape,
                                        .options = c.options,
                                        .decay = decay,
                                        .query = in.query.view(),
                                        .key = in.key.view(),
                                        .value = in.value.view(),
                                        .output = out.view(),
                                        .S = S.data(),
                                        .z = z.data(),
                                        .position = position.data()},
                                       {.isa = isa});
            reference::attention_step({.shape = c.shape,
                                       .options = c.options,
                                       .decay = decay,
                                       .query = exact.query.view(),
                                       .key = exact.key.view(),
                                       .value = exact.value.view(),
                                       .output = out_exact.view(),
                                       .S = S_exact.data(),
                                       .z = z_exact.data(),
                                       .position = position_exact.data()});
            const Difference d = difference(out.values(), out_exact.values());
            // A sum of N K terms of one sign, then of T of both: some 2 K roundings at most.
            EXPECT_LE(d.error, 2 * static_cast<double>(K) * kEpsilon * std::max(d.magnitude, 1e-3))
                << name(isa) << " " << t;
          }
          EXPECT_EQ(position, position_exact);
          EXPECT_EQ(position[1], 19);
          const Difference d = difference({S.begin(), S.end()}, S_exact);
          EXPECT_LE(d.error, 12 * kEpsilon * d.magnitude);
        }
      }
    }
  }
}

/// A sequence of good positions beside one whose position is bad.
void expect_refused(int64_t groups, std::optional<int64_t> horizon, int64_t bad) {
  Case c;
  c.shape = {.B = 2, .Tq = 1, .Tk = 1, .H = groups, .G = groups, .K = 2, .V = 2};
  c.options = {.horizon = horizon, .causal = true};
  const Inputs<float> in(c, false);
  Tensor<float> out(2, 1, groups, 2);
  const int64_t N = c.options.states();
  std::vector<float> S(static_cast<size_t>(2 * groups * N * 4), 1),
      z(static_cast<size_t>(2 * groups * N * 2), 1);
  const std::vector<float> S_before = S, z_before = z;
  std::vector<int64_t> position{0, bad};
  const AttentionStep<float> args{.shape = c.shape,
                                  .options = c.options,
                                  .query = in.query.view(),
                                  .key = in.key.view(),
                                  .value = in.value.view(),
                                  .output = out.view(),
                                  .S = S.data(),
                                  .z = z.data(),
                                  .position = position.data()};
  if (!under_test::values_are_checked()) {
    under_test::attention_step(args);
    for (int64_t g = 0; g < groups; ++g) {
      EXPECT_TRUE(std::isfinite(out.at(0, 0, g, 0))) << bad;
      EXPECT_TRUE(std::isnan(out.at(1, 0, g, 0))) << bad;
    }
    EXPECT_EQ(position, (std::vector<int64_t>{1, bad + 1}));
    return;
  }
  EXPECT_THROW(under_test::attention_step(args), ShapeError);
  EXPECT_EQ(S, S_before);
  EXPECT_EQ(z, z_before);
  EXPECT_EQ(position, (std::vector<int64_t>{0, bad}));
}

TEST(Step, BadPositionsAreRefusedAndNothingElseChanges) {
  for (const int64_t groups : {1, 2, 3}) {
    expect_refused(groups, 4, 4);
    for (const int64_t below : {int64_t{-1}, int64_t{-3}, -(int64_t{1} << 38)}) {
      expect_refused(groups, 4, below);
      expect_refused(groups, std::nullopt, below);
    }
  }
}

}  // namespace
}  // namespace cosformer::test
