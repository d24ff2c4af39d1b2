// float16, which only GPUs have, against the reference.

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "cosformer/cuda.h"
#include "kernels/attention_case.h"
#include "kernels/device_copy.h"

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

/// @param architecture as in cuda::Execution
Results run_float16(const Case& c, int architecture) {
  const auto call = [&](const auto& args, const auto& function) {
    DeviceCopies copies;
    const auto there = copy_to_device(args, copies);
    function(there, cuda::Execution{.scratch = [&](size_t bytes) { return copies.scratch(bytes); },
                                    .architecture = architecture});
    copies.bring_back();
  };
  return run<float16>(
      c, Inputs<float16>(c, true),
      [&](const auto& a) { call(a, [](const auto&... args) { cuda::attention_forward(args...); }); },
      [&](const auto& a) { call(a, [](const auto&... args) { cuda::attention_backward(args...); }); });
}

TEST(Float16, EqualsReference) {
  constexpr double kHalfUnit = 0x1p-11;
  for (const int architecture : {80, 90}) {
    if (architecture == 90 && !is_hopper()) continue;  // such calls are refused
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
        EXPECT_EQ(find_error(run_float16(c, architecture), expected, rounding_scale(c, exact, expected),
                             run_plain(c, Inputs<float>(c, true)), allowance),
                  "")
            << architecture << " " << c.describe();
      }
    }
  }
}

}  // namespace
}  // namespace cosformer::test
