#include "kernels/cpu/form.h"

#include <gtest/gtest.h>

#include <array>

namespace cosformer::cpu {
namespace {

bool quadratic(int64_t T, int64_t K, const AttentionOptions& options, Results results = Results::output) {
  return quadratic_is_cheaper(results, T, T, K, K, options);
}

TEST(Form, ShortSequencesAreQuadraticLongOnesAreNot) {
  const AttentionOptions causal{.horizon = 1 << 20, .causal = true};
  EXPECT_TRUE(quadratic(16, 64, causal));
  EXPECT_TRUE(quadratic(128, 64, causal));
  EXPECT_FALSE(quadratic(1024, 64, causal));
  EXPECT_FALSE(quadratic(128, 8, causal));
}

TEST(Form, OneStateMovesTheBorderDown) {
  const AttentionOptions with{.horizon = 1 << 20, .causal = true}, without{.causal = true};
  EXPECT_TRUE(quadratic(224, 64, with));
  EXPECT_FALSE(quadratic(224, 64, without));
}

TEST(Form, BordersLieWhereTheFormsAreMeasuredToBeEquallyFast) {
  // docs/performance.md, "Quadratic or chunked": between these lengths the forms' times cross on AMD and on
  // Intel, or the slower one takes at most 1.1 times as long.
  const AttentionOptions causal{.horizon = 1 << 20, .causal = true}, dense{.horizon = 1 << 20};
  for (const auto& [K, output, gradients] :
       {std::array<int64_t, 3>{32, 120, 104}, {64, 224, 192}, {96, 320, 288}, {128, 432, 384}}) {
    SCOPED_TRACE(K);
    EXPECT_TRUE(quadratic(output, K, causal));
    EXPECT_FALSE(quadratic(output + 32, K, causal));
    EXPECT_TRUE(quadratic(gradients, K, causal, Results::gradients));
    EXPECT_FALSE(quadratic(gradients + 32, K, causal, Results::gradients));
  }
  for (const Results results : {Results::output, Results::gradients}) {
    for (const auto& [K, border] : {std::array<int64_t, 2>{16, 48}, {32, 72}, {64, 112}, {128, 208}}) {
      SCOPED_TRACE(K);
      EXPECT_TRUE(quadratic(border, K, dense, results));
      EXPECT_FALSE(quadratic(border + 16, K, dense, results));
    }
  }
}

}  // namespace
}  // namespace cosformer::cpu
