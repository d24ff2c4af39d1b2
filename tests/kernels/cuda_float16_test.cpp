// float16, which only GPUs have, against the reference.

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/device_run.h"
#include "kernels/state_results.h"

namespace cosformer::test {
namespace {

TEST(Float16, ConversionsRoundToNearest) {
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {
    float16 half;
    half.bits = static_cast<uint16_t>(bits);
    const auto value = static_cast<float>(half);
    EXPECT_EQ(float16(value).bits, bits);
    EXPECT_EQ(float16(-value).bits, bits | 0x8000);
    float16 next;
    next.bits = static_cast<uint16_t>(bits + 1);
    if (bits + 1 == 0x7C00) continue;
    const float middle = (value + static_cast<float>(next)) / 2;
    EXPECT_EQ(float16(middle).bits, bits + (bits & 1)) << bits;
  }
  EXPECT_EQ(float16(65519).bits, 0x7BFF);
  EXPECT_EQ(float16(65520).bits, 0x7C00);
  EXPECT_EQ(float16(-1e30F).bits, 0xFC00);
  EXPECT_TRUE(std::isnan(static_cast<float>(float16(std::nanf("")))));
}

constexpr double kHalfUnit = 0x1p-11;

/// As in cuda::Execution.
std::vector<int> architectures() {
  return is_hopper() ? std::vector{80, 90} : std::vector{80};  // the other's calls are refused
}

TEST(Float16, EqualsReference) {
  for (const int architecture : architectures()) {
    for (const bool causal : {true, false}) {
      for (const auto& [K, V, padding] : {std::tuple{64, 40, Padding::right},
                                          {20, 100, Padding::right},
                                          {200, 16, Padding::right},
                                          {64, 40, Padding::holes},
                                          {128, 96, Padding::packed}}) {
        Case c;
        c.shape = {.B = 2, .Tq = 100, .Tk = 100, .H = 2, .G = 1, .K = K, .V = V};
        c.options = {.horizon = 200, .causal = causal};
        c.states = c.decay = causal;
        c.padding = padding;
        const Inputs<double> exact(c, true);
        const Results expected = run_reference(c, exact);
        const Allowance allowance{.stored = kHalfUnit, .products = 3 * kHalfUnit};
        EXPECT_EQ(
            find_error(run_on_device(c, Inputs<float16>(c, true), {.architecture = architecture}), expected,
                       rounding_scale(c, exact, expected), run_plain(c, Inputs<float>(c, true)), allowance),
            "")
            << architecture << " " << c.describe();
      }
    }
  }
}

TEST(Float16, StatesAndReadsEqualReference) {
  for (const auto& [K, V, T] : {std::tuple{3, 20, 33}, {24, 20, 300}, {64, 72, 70}, {200, 16, 40}}) {
    for (const Padding padding : {Padding::none, Padding::holes}) {
      Case c;
      c.shape = {.B = 2, .Tq = T, .Tk = T, .H = 4, .G = 2, .K = K, .V = V};
      c.options = {.horizon = 3 * T + 9, .causal = true};
      c.states = c.decay = true;
      c.padding = padding;
      c.position = 2;
      const StateResults expected = run_state_reference(c, Inputs<double>(c, true));
      for (const int architecture : architectures()) {
        const auto on_device = [&](const auto& function) {
          return [&, architecture](const auto& a) {
            call_on_device(a, {.width = 1000, .architecture = architecture}, function);
          };
        };
        const StateResults actual = run_states(
            c, Inputs<float16>(c, true), on_device([](const auto&... a) { cuda::attention_state(a...); }),
            on_device([](const auto&... a) { cuda::attention_state_backward(a...); }),
            on_device([](const auto&... a) { cuda::attention_read(a...); }),
            on_device([](const auto&... a) { cuda::attention_read_backward(a...); }));
        expect_close(actual, expected, 8 * kHalfUnit, std::to_string(architecture) + " " + c.describe());
      }
    }
  }
}

TEST(Float16, StepsFollowTheReference) {
  Case c;
  c.shape = {.B = 2, .Tq = 1, .Tk = 1, .H = 6, .G = 3, .K = 16, .V = 70};
  c.options = {.horizon = 20, .causal = true};
  const float decay[] = {0, 0.25F, 3};
  std::vector<float> S(2 * 3 * 2 * 16 * 70), z(2 * 3 * 2 * 16);
  std::vector<double> S_exact(S.size()), z_exact(z.size());
  std::vector<int64_t> position{0, 7}, position_exact = position;
  for (uint64_t t = 1; t <= 12; ++t) {
    c.seed = t;
    const auto step = [&]<class T>(T, auto& state, auto& vector, auto& place, const auto& function) {
      const Inputs<T> in(c, true);
      Tensor<T> out(2, 1, 6, 70);
      function(AttentionStep<T>{.shape = c.shape,
                                .options = c.options,
                                .decay = decay,
                                .query = in.query.view(),
                                .key = in.key.view(),
                                .value = in.value.view(),
                                .output = out.view(),
                                .S = state.data(),
                                .z = vector.data(),
                                .position = place.data()});
      return out.values();
    };
    const auto actual = step(float16{}, S, z, position, [](const auto& a) {
      call_on_device(a, {}, [](const auto&... args) { cuda::attention_step(args...); });
    });
    const auto expected =
        step(double{}, S_exact, z_exact, position_exact, [](const auto& a) { reference::attention_step(a); });
    for (size_t i = 0; i < actual.size(); ++i) {
      // A sum of N K terms in float, rounded once.
      EXPECT_NEAR(actual[i], expected[i], kHalfUnit * std::abs(expected[i]) + 64 * kEpsilon) << t << " " << i;
    }
  }
  EXPECT_EQ(position, position_exact);
  for (size_t i = 0; i < S.size(); ++i) EXPECT_NEAR(S[i], S_exact[i], 64 * kEpsilon) << i;
  for (size_t i = 0; i < z.size(); ++i) EXPECT_NEAR(z[i], z_exact[i], 64 * kEpsilon) << i;
}

}  // namespace
}  // namespace cosformer::test
