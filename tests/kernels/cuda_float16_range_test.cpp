// float16 where sums, weights and gradients on the way exceed its 65,504, though inputs and results do not.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/device_run.h"
#include "kernels/random_case.h"
#include "kernels/state_results.h"
#include "kernels/under_test.h"
#include "support/environment.h"

namespace cosformer::test {
namespace {

constexpr double kHalfUnit = 0x1p-11, kHalfLeast = 0x1p-25;  // of float16

/// As in cuda::Execution.
std::vector<int> architectures() {
  return is_hopper() ? std::vector{80, 90} : std::vector{80};  // the other's calls are refused
}

/// Every element x becomes what make(x, index) says, in float16's precision.
template <class T, class F>
void change(Tensor<T>& tensor, const F& make) {
  const std::vector<double> values = tensor.values();
  size_t i = 0;
  tensor.fill([&] {
    const double made = make(values[i], static_cast<int64_t>(i));
    ++i;
    return static_cast<float>(float16(static_cast<float>(made)));
  });
}
template <class T>
void scale(Tensor<T>& tensor, double factor) {
  change(tensor, [=](double x, int64_t) { return x * factor; });
}
template <class T>
void scale(std::vector<T>& state, float factor) {
  for (T& x : state) x *= factor;
}

constexpr Allowance kAllowance{.stored = kHalfUnit, .products = 3 * kHalfUnit};

/// What float16 makes of results that exceed it.
Results stored(Results results) {
  for (auto member : {&Results::output, &Results::d_query, &Results::d_key, &Results::d_value}) {
    for (double& x : results.*member) {
      if (std::abs(x) >= 65520) x = std::copysign(std::numeric_limits<double>::infinity(), x);
    }
  }
  return results;
}

std::string error_of(const Case& c, const Inputs<double>& exact, const Inputs<float>& plain,
                     const Inputs<float16>& inputs, int architecture, const Allowance& allowance) {
  const Results expected = run_reference(c, exact), there = stored(expected);
  Results got = run_on_device(c, inputs, {.architecture = architecture});
  // The gradients of queries, and of the keys that they see, need outputs as they were stored: of infinite
  // ones there are none.
  bool stored_all = true;
  for (size_t i = 0; i < there.output.size(); ++i) {
    if (std::isfinite(there.output[i])) continue;
    stored_all = false;
    const auto row = static_cast<int64_t>(i) / c.shape.V;
    for (auto k = static_cast<size_t>(row * c.shape.K); k < static_cast<size_t>((row + 1) * c.shape.K); ++k)
      got.d_query[k] = there.d_query[k];
  }
  if (!stored_all) got.d_key = there.d_key, got.dz = there.dz;
  return find_error(got, there, rounding_scale(c, exact, expected), stored(run_plain(c, plain)), allowance);
}

/// With inputs that prepare(inputs) has changed.
template <class Prepare>
void expect_reference(const Case& c, const Prepare& prepare) {
  Inputs<double> exact(c, true);
  Inputs<float> plain(c, true);
  Inputs<float16> inputs(c, true);
  prepare(exact);
  prepare(plain);
  prepare(inputs);
  for (const int architecture : architectures()) {
    EXPECT_EQ(error_of(c, exact, plain, inputs, architecture, kAllowance), "")
        << architecture << " " << c.describe();
  }
}

/// Widths of every size of tiles, with each kind of rows; with states where causal.
template <class F>
void for_each_case(int64_t T, const F& body) {
  for (const bool causal : {true, false}) {
    for (const auto& [K, V, padding] : {std::tuple{64, 40, Padding::none},
                                        {20, 100, Padding::right},
                                        {200, 16, Padding::holes},
                                        {128, 96, Padding::packed}}) {
      Case c;
      c.shape = {.B = 2, .Tq = T, .Tk = T, .H = 2, .G = 1, .K = K, .V = V};
      c.options = {.horizon = T + 10, .causal = causal};
      c.states = causal;
      c.padding = padding;
      body(c);
    }
  }
}

// Of which the denominator is 0: they are divided by eps, 1e-6.
TEST(Float16Range, QueriesWithoutFeatures) {
  for_each_case(100, [](const Case& c) {
    expect_reference(c, [&](auto& in) {
      change(in.query, [&](double x, int64_t i) { return i / c.shape.K % 3 == 1 ? -std::abs(x) : x; });
    });
  });
}

// However large their gradients are: other rows are rounded as if these were not there.
TEST(Float16Range, QueriesWithoutFeaturesAddNothing) {
  Case c;
  c.shape = {.B = 1, .Tq = 80, .Tk = 80, .H = 2, .G = 1, .K = 64, .V = 40};
  c.options = {.horizon = 90};
  for (const bool causal : {true, false}) {
    c.options.causal = c.states = causal;
    Inputs<float16> inputs(c, true);
    const auto featureless = [](int64_t row) { return row % 3 == 1; };
    change(inputs.query, [&](double x, int64_t i) { return featureless(i / c.shape.K) ? -std::abs(x) : x; });
    Inputs<float16> larger = inputs;
    change(larger.d_output, [&](double x, int64_t i) { return featureless(i / c.shape.V) ? x * 0x1p12 : x; });
    for (const int architecture : architectures()) {
      EXPECT_EQ(find_difference(run_on_device(c, larger, {.architecture = architecture}),
                                run_on_device(c, inputs, {.architecture = architecture})),
                "")
          << architecture << " " << c.describe();
    }
  }
}

TEST(Float16Range, QueriesThatMeetNoKey) {
  for_each_case(100, [](const Case& c) {
    const int64_t K = c.shape.K, V = c.shape.V;
    const auto dead = [=](int64_t feature) { return feature < K / 2; };
    expect_reference(c, [&](auto& in) {
      change(in.key, [&](double x, int64_t i) { return dead(i % K) ? -std::abs(x) : x; });
      change(in.query, [&](double x, int64_t i) {
        return i / K % 5 == 2 ? (dead(i % K) ? std::abs(x) : -std::abs(x)) : x;
      });
      for (size_t i = 0; i < in.z.size(); ++i) {
        if (dead(static_cast<int64_t>(i) % K)) in.z[i] = 0;
      }
      for (size_t i = 0; i < in.S.size(); ++i) {
        if (dead(static_cast<int64_t>(i) / V % K)) in.S[i] = 0;
      }
    });
  });
}

TEST(Float16Range, Sums) {
  for_each_case(100, [](const Case& c) {
    expect_reference(c, [](auto& in) {
      scale(in.query, 0x1p-4);
      scale(in.key, 0x1p9);
      change(in.value, [](double x, int64_t) { return 64 * std::abs(x); });
    });
  });
}

TEST(Float16Range, Weights) {
  for_each_case(80, [](const Case& c) {
    expect_reference(c, [](auto& in) {
      scale(in.query, 0x1p9);
      scale(in.key, 0x1p8);
      scale(in.d_output, 0x1p14);
    });
  });
}

TEST(Float16Range, GradientsOverSmallDenominators) {
  for_each_case(80, [](Case c) {
    c.states = false;
    expect_reference(c, [](auto& in) {
      scale(in.query, 0x1p-8);
      scale(in.key, 0x1p-5);
      scale(in.d_output, 0x1p7);
    });
  });
}

TEST(Float16Range, States) {
  for (const auto& [K, V] : {std::tuple{24, 20}, {64, 72}, {200, 16}}) {
    Case c;
    c.shape = {.B = 2, .Tq = 70, .Tk = 70, .H = 4, .G = 2, .K = K, .V = V};
    c.options = {.horizon = 90, .causal = true};
    c.states = true;
    const auto prepare = [](auto& in) {
      scale(in.S, 0x1p20F);
      scale(in.z, 0x1p20F);
      scale(in.key, 0x1p10);
      scale(in.value, 0x1p3);
    };
    expect_reference(c, prepare);
    Inputs<double> exact(c, true);
    prepare(exact);
    Inputs<float16> inputs(c, true);
    prepare(inputs);
    const StateResults expected = run_state_reference(c, exact);
    for (const int architecture : architectures()) {
      const auto on_device = [&](const auto& function) {
        return [&, architecture](const auto& a) {
          call_on_device(a, {.width = 1000, .architecture = architecture}, function);
        };
      };
      const StateResults actual =
          run_states(c, inputs, on_device([](const auto&... a) { cuda::attention_state(a...); }),
                     on_device([](const auto&... a) { cuda::attention_state_backward(a...); }),
                     on_device([](const auto&... a) { cuda::attention_read(a...); }),
                     on_device([](const auto&... a) { cuda::attention_read_backward(a...); }));
      expect_close(actual, expected, 8 * kHalfUnit, std::to_string(architecture) + " " + c.describe());
    }
  }
}

// Weights of 2^30 beside weights of 2^-10: a power of two for both would round the latter anew.
TEST(Float16Range, FutureNeverReachesThePast) {
  for (const auto& [K, V] : {std::tuple{64, 64}, {128, 40}, {200, 16}}) {
    for (const float future : {1.0F, std::numeric_limits<float>::quiet_NaN()}) {
      Case c;
      c.shape = {.B = 1, .Tq = 100, .Tk = 100, .H = 1, .G = 1, .K = K, .V = V};
      c.options = {.horizon = 200, .causal = true};
      constexpr int64_t kPast = 21;
      Inputs<float16> inputs(c, true);
      change(inputs.query, [&](double x, int64_t) { return std::abs(x) * 0x1p-10; });
      for (const int architecture : architectures()) {
        Inputs<float16> later = inputs;
        const auto after = [&](int64_t i, int64_t width) { return i / width >= kPast; };
        change(later.query, [&](double x, int64_t i) { return after(i, K) ? x * 0x1p24 : x; });
        change(later.key, [&](double x, int64_t i) { return after(i, K) ? x * 0x1p14 : x; });
        change(later.value, [&](double x, int64_t i) { return after(i, V) ? x * future : x; });
        const Results before = run_on_device(c, inputs, {.architecture = architecture}),
                      now = run_on_device(c, later, {.architecture = architecture});
        for (size_t i = 0; i < static_cast<size_t>(kPast * V); ++i) {
          ASSERT_EQ(now.output[i], before.output[i]) << i << " " << architecture << " " << c.describe();
        }
        EXPECT_EQ(std::isnan(now.output[static_cast<size_t>(kPast * V)]), std::isnan(future));
      }
    }
  }
}

TEST(Float16Range, InfinityReachesItsColumnAlone) {
  for (const bool causal : {true, false}) {
    Case c;
    c.shape = {.B = 1, .Tq = 80, .Tk = 80, .H = 1, .G = 1, .K = 64, .V = 40};
    c.options = {.horizon = 90, .causal = causal};
    const Inputs<float16> inputs(c, true);
    Inputs<float16> infinite = inputs;
    infinite.value.at(0, 3, 0, 5) = float16(std::numeric_limits<float>::infinity());
    for (const int architecture : architectures()) {
      const Results before = run_on_device(c, inputs, {.architecture = architecture}),
                    now = run_on_device(c, infinite, {.architecture = architecture});
      for (size_t i = 0; i < now.output.size(); ++i) {
        if (i % 40 == 5) continue;
        ASSERT_EQ(now.output[i], before.output[i]) << i << " " << architecture << " " << c.describe();
      }
    }
  }
}

TEST(Float16Range, CutsNeverChangeBits) {
  Case c;
  c.shape = {.B = 2, .Tq = 520, .Tk = 520, .H = 2, .G = 1, .K = 8, .V = 8};
  c.options = {.horizon = 700, .causal = true};
  c.states = c.decay = true;
  Inputs<float16> inputs(c, true);
  scale(inputs.key, 0x1p12);
  change(inputs.value, [](double x, int64_t) { return 64 * std::abs(x); });
  change(inputs.query, [](double x, int64_t i) { return i / 8 % 7 == 1 ? -std::abs(x) : x; });
  for (const int architecture : architectures()) {
    const Results whole = run_on_device(c, inputs, {.width = 1, .architecture = architecture});
    const Results cut = run_on_device(c, inputs, {.width = 1000, .architecture = architecture});
    EXPECT_EQ(find_difference(cut, whole), "") << architecture;
    for (const double x : cut.d_key) ASSERT_TRUE(std::isfinite(x)) << architecture;
  }
}

// Those of fuzz_test.cpp, of numbers to 1.
TEST(Fuzz, EveryRandomCaseInFloat16EqualsReference) {
  const uint64_t first = number_from("COSFORMER_FUZZ_SEED", 1);
  const uint64_t cases = number_from("COSFORMER_FUZZ_CASES", under_test::fuzz_cases());
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    Case c = draw_run(seed).c;
    if (c.values != Values::ties) c.values = Values::uniform;
    Allowance allowance = kAllowance;
    allowance.flushed = static_cast<double>(c.options.states()) * kHalfLeast / kLeastNormal;
    const auto list = architectures();
    const int architecture = list[seed % list.size()];
    const std::string error = error_of(c, Inputs<double>(c, true), Inputs<float>(c, true),
                                       Inputs<float16>(c, true), architecture, allowance);
    ASSERT_EQ(error, "") << "seed " << seed << ", architecture " << architecture << ": " << c.describe();
  }
}

}  // namespace
}  // namespace cosformer::test
