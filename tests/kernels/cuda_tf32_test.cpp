// float32 multiplied in TF32, where it is asked for.

#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "kernels/device_run.h"

namespace cosformer::test {
namespace {

Results run_float32(const Case& c, const Inputs<float>& inputs, bool tf32) {
  return run_on_device(c, inputs, {.tf32 = tf32});
}

Case case_of(int64_t K, int64_t V, bool causal, Padding padding) {
  Case c;
  c.shape = {.B = 2, .Tq = 100, .Tk = 100, .H = 2, .G = 1, .K = K, .V = V};
  c.options = {.horizon = 200, .causal = causal};
  c.states = c.decay = causal;
  c.padding = padding;
  return c;
}

TEST(Tf32, EqualsReferenceWithinItsRounding) {
  for (const bool causal : {true, false}) {
    for (const auto& [K, V, padding] : {std::tuple{64, 40, Padding::right},
                                        {20, 100, Padding::holes},
                                        {200, 16, Padding::right},
                                        {128, 96, Padding::packed}}) {
      const Case c = case_of(K, V, causal, padding);
      // What TF32 can hold: the three matrices that are rounded on the way are what is left, as in bfloat16.
      const Inputs<double> exact(c, true);
      const Inputs<float> inputs(c, true);
      const Results expected = run_reference(c, exact);
      EXPECT_EQ(find_error(run_float32(c, inputs, true), expected, rounding_scale(c, exact, expected),
                           run_plain(c, inputs), Allowance{.products = 3 * 0x1p-11}),
                "")
          << c.describe();
    }
  }
}

TEST(Tf32, IsUsedWhereItIsAskedForAlone) {
  const Case c = case_of(64, 64, true, Padding::right);
  const Inputs<double> exact(c, false);
  const Inputs<float> inputs(c, false);
  const Results expected = run_reference(c, exact), plain = run_plain(c, inputs);
  const Scale scale = rounding_scale(c, exact, expected);
  EXPECT_EQ(find_error(run_float32(c, inputs, false), expected, scale, plain, Allowance{}), "");
  EXPECT_NE(find_error(run_float32(c, inputs, true), expected, scale, plain, Allowance{}), "");
}

// Rounded, the largest float is infinite, and 0 times that is not a number.
TEST(Tf32, TheLargestFloatInTheFutureReachesNoPastResult) {
  const Case c = case_of(64, 64, true, Padding::none);
  Inputs<float> inputs(c, false);
  const Results before = run_float32(c, inputs, true);
  const int64_t first = c.shape.Tk / 2 + 7;
  for (int64_t v = 0; v < c.shape.V; ++v) {
    inputs.value.at(0, first, 0, v) = std::numeric_limits<float>::max();
  }
  const Results after = run_float32(c, inputs, true);
  const auto past = static_cast<size_t>(first * c.shape.H * c.shape.V);
  for (size_t i = 0; i < past; ++i) ASSERT_EQ(after.output[i], before.output[i]) << i;
}

}  // namespace
}  // namespace cosformer::test
