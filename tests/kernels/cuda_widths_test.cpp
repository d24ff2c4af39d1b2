// Heads as wide as a GPU takes, and long sequences, in every type. Wider ones are refused by name
// (cuda_bad_input_test.cpp).

#include <gtest/gtest.h>

#include <tuple>
#include <type_traits>

#include "kernels/device_run.h"

namespace cosformer::test {
namespace {

template <class T>
Allowance allowance_of(const Case& c) {
  if constexpr (std::is_same_v<T, float16>) return {.stored = 0x1p-11, .products = 3 * 0x1p-11};
  return allowance(c, Form::chunked, Isa::avx512_bf16, std::is_same_v<T, bfloat16>);
}

template <class T>
void expect_reference(const Case& c) {
  const Inputs<double> exact(c, true);
  const Results expected = run_reference(c, exact), plain = run_plain(c, Inputs<float>(c, true));
  const Scale scale = rounding_scale(c, exact, expected);
  for (const int architecture : {80, 90}) {
    if (architecture == 90 && !is_hopper()) continue;
    EXPECT_EQ(find_error(run_on_device(c, Inputs<T>(c, true), {.architecture = architecture}), expected,
                         scale, plain, allowance_of<T>(c)),
              "")
        << architecture << " " << c.describe();
  }
}

template <class T>
class Widths : public testing::Test {};
using Numbers = testing::Types<float, bfloat16, float16>;
TYPED_TEST_SUITE(Widths, Numbers);

TYPED_TEST(Widths, OfTheWidestHeadsEqualReference) {
  using T = TypeParam;
  for (const auto& [K, V] : {std::tuple{256, 24}, {24, 256}, {256, 256}, {250, 255}}) {
    for (const bool causal : {true, false}) {
      Case c;
      c.shape = {.B = 1, .Tq = 70, .Tk = 70, .H = 2, .G = 1, .K = K, .V = V};
      c.options = {.horizon = 100, .causal = causal};
      c.states = c.decay = causal;
      c.padding = Padding::holes;
      expect_reference<T>(c);
    }
  }
}

/// More chunks than angles are worked out for at once (walk.h), forward and in reverse.
TYPED_TEST(Widths, OfLongSequencesEqualReference) {
  for (const bool causal : {true, false}) {
    Case c;
    c.shape = {.B = 1, .Tq = 3300, .Tk = 3300, .H = 1, .G = 1, .K = 16, .V = 8};
    c.options = {.horizon = 4000, .causal = causal};
    expect_reference<TypeParam>(c);
  }
}

}  // namespace
}  // namespace cosformer::test
