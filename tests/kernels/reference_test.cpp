// The reference's hand-written gradients against finite differences of its own forward pass, and known small
// answers.

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "kernels/attention_case.h"

namespace cosformer::test {
namespace {

double weighted_sum(const std::vector<double>& values, const std::vector<double>& weights) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += values[i] * weights[i];
  return sum;
}

/// d_output with 0 where it is padding.
std::vector<double> d_output_of_tokens(const Inputs<double>& in) {
  std::vector<double> values = in.d_output.values();
  for (double& x : values) x = std::isnan(x) ? 0 : x;
  return values;
}

/// sum(output * d_output) + sum(S_out * dS_out) + sum(z_out * dz_out).
double objective(const Case& c, const Inputs<double>& in) {
  const Results r = run_reference(c, in);
  return weighted_sum(r.output, d_output_of_tokens(in)) + weighted_sum(r.S, in.dS_out) +
         weighted_sum(r.z, in.dz_out);
}

void check_gradient(const Case& c, const std::string& name, const std::vector<double>& gradient,
                    const std::function<double&(Inputs<double>&, size_t)>& element) {
  constexpr double kStep = 1e-5;
  for (size_t i = 0; i < gradient.size(); ++i) {
    Inputs<double> in(c, false);
    double& x = element(in, i);
    const double middle = x;
    if (std::isnan(middle)) {
      EXPECT_EQ(gradient[i], 0) << name << " " << i << " is padding";
      continue;
    }
    x = middle + kStep;
    const double above = objective(c, in);
    x = middle - kStep;
    const double below = objective(c, in);
    // The error of a central difference is O(kStep^2), that of rounding 1e-16 / kStep.
    EXPECT_NEAR((above - below) / (2 * kStep), gradient[i], 1e-6 * std::max(1.0, std::abs(gradient[i])))
        << name << " " << i << " " << c.describe();
  }
}

void check_all_gradients(const Case& c) {
  const Inputs<double> inputs(c, false);
  const Results r = run_reference(c, inputs);
  const AttentionShape s = inputs.shape;
  const auto index = [](int64_t length, int64_t heads, int64_t width, auto& tensor, size_t flat) -> double& {
    const auto i = static_cast<int64_t>(flat);
    return tensor.at(i / (width * heads * length), i / (width * heads) % length, i / width % heads,
                     i % width);
  };
  check_gradient(c, "query", r.d_query,
                 [&](Inputs<double>& in, size_t i) -> double& { return index(s.Tq, s.H, s.K, in.query, i); });
  check_gradient(c, "key", r.d_key,
                 [&](Inputs<double>& in, size_t i) -> double& { return index(s.Tk, s.G, s.K, in.key, i); });
  check_gradient(c, "value", r.d_value,
                 [&](Inputs<double>& in, size_t i) -> double& { return index(s.Tk, s.G, s.V, in.value, i); });
  check_gradient(c, "S", r.dS, [&](Inputs<double>& in, size_t i) -> double& { return in.S[i]; });
  check_gradient(c, "z", r.dz, [&](Inputs<double>& in, size_t i) -> double& { return in.z[i]; });
}

TEST(Reference, GradientsEqualFiniteDifferences) {
  for (const bool causal : {true, false}) {
    for (const bool with_horizon : {true, false}) {
      for (const FeatureMap map : {FeatureMap::relu, FeatureMap::identity}) {
        for (const Padding padding : {Padding::none, Padding::holes, Padding::packed}) {
          Case c;
          c.shape = {.B = 2, .Tq = 4, .Tk = causal ? 4 : 6, .H = 2, .G = 1, .K = 3, .V = 2};
          c.options.causal = causal;
          if (with_horizon) c.options.horizon = 9;
          c.options.feature_map = map;
          c.padding = padding;
          c.states = causal;
          c.position = 2;
          check_all_gradients(c);
        }
      }
    }
  }
}

TEST(Reference, GradientsWithDecayAndWithoutDivision) {
  for (const bool normalize : {true, false}) {
    Case c;
    c.shape = {.B = 1, .Tq = 4, .Tk = 4, .H = 2, .G = 2, .K = 2, .V = 3};
    c.options = {.horizon = 9, .causal = true, .normalize = normalize};
    c.decay = c.states = true;
    check_all_gradients(c);
  }
}

TEST(Reference, ClampedDenominatorHasNoGradient) {
  Case c;
  c.shape = {.B = 1, .Tq = 3, .Tk = 3, .H = 1, .G = 1, .K = 2, .V = 2};
  c.options = {.horizon = 4, .causal = true, .eps = 1e3F};
  check_all_gradients(c);
}

TEST(Reference, OneTokenGivesItsValue) {
  Case c;
  c.shape = {.B = 1, .Tq = 1, .Tk = 1, .H = 1, .G = 1, .K = 2, .V = 3};
  c.options = {.horizon = 1, .causal = true, .feature_map = FeatureMap::identity};
  const Inputs<double> in(c, false);
  const Results r = run_reference(c, in);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(r.output[static_cast<size_t>(i)], in.value.at(0, 0, 0, i), 1e-15);
}

TEST(Reference, WeightsFallWithTheCosineOfTheDistance) {
  Case c;
  c.shape = {.B = 1, .Tq = 3, .Tk = 3, .H = 1, .G = 1, .K = 1, .V = 1};
  c.options = {.horizon = 4, .causal = true};
  Inputs<double> in(c, false);
  in.query.fill([] { return 2.0; });
  in.key.fill([] { return 3.0; });
  const Results r = run_reference(c, in);
  const double w1 = std::cos(std::numbers::pi / 8), w2 = std::cos(std::numbers::pi / 4);
  EXPECT_NEAR(r.denominator[2], 6 * (1 + w1 + w2), 1e-14);
  EXPECT_NEAR(
      r.output[2],
      (in.value.at(0, 2, 0, 0) + w1 * in.value.at(0, 1, 0, 0) + w2 * in.value.at(0, 0, 0, 0)) / (1 + w1 + w2),
      1e-14);
}

TEST(Reference, DeadRowGivesZeroAndNoGradient) {
  Case c;
  c.shape = {.B = 1, .Tq = 2, .Tk = 2, .H = 1, .G = 1, .K = 2, .V = 2};
  c.options = {.horizon = 2, .causal = true};
  Inputs<double> in(c, false);
  in.query.fill([] { return -1.0; });
  const Results r = run_reference(c, in);
  for (const auto& values : {r.output, r.d_query, r.d_key, r.d_value}) {
    for (const double v : values) EXPECT_EQ(v, 0);
  }
}

}  // namespace
}  // namespace cosformer::test
