#include "kernels/cpu/form.h"

#include <gtest/gtest.h>

#include <array>

namespace cosformer::cpu {
namespace {

bool quadratic(int64_t T, int64_t K, const AttentionOptions& options, Results results = Results::output,
               MultiplyAdds rate = MultiplyAdds::two_a_cycle) {
  return quadratic_is_cheaper(results, T, T, K, K, options, rate);
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
  EXPECT_TRUE(quadratic(208, 64, with));
  EXPECT_FALSE(quadratic(208, 64, without));
}

TEST(Form, BordersLieWhereTheFormsAreMeasuredToBeEquallyFast) {
  // docs/performance.md, "Quadratic or chunked": between these lengths the forms' times cross, or the slower
  // one takes at most 1.1 times as long. `output` with two multiply-adds a cycle (Zen 5, Intel) and with one
  // (Zen 4).
  const AttentionOptions causal{.horizon = 1 << 20, .causal = true}, dense{.horizon = 1 << 20};
  for (const auto& [K, two, one, gradients] : {std::array<int64_t, 4>{32, 104, 128, 104},
                                               {64, 200, 240, 176},
                                               {96, 296, 356, 272},
                                               {128, 400, 476, 352},
                                               {256, 806, 930, 704}}) {
    SCOPED_TRACE(K);
    EXPECT_TRUE(quadratic(two, K, causal));
    EXPECT_FALSE(quadratic(two + 32, K, causal));
    EXPECT_TRUE(quadratic(one, K, causal, Results::output, MultiplyAdds::one_a_cycle));
    EXPECT_FALSE(quadratic(one + 32, K, causal, Results::output, MultiplyAdds::one_a_cycle));
    EXPECT_TRUE(quadratic(gradients, K, causal, Results::gradients));
    EXPECT_FALSE(quadratic(gradients + 32, K, causal, Results::gradients));
  }
  for (const Results results : {Results::output, Results::gradients}) {
    for (const auto& [K, border] :
         {std::array<int64_t, 2>{16, 48}, {32, 64}, {64, 112}, {128, 208}, {256, 400}}) {
      SCOPED_TRACE(K);
      EXPECT_TRUE(quadratic(border, K, dense, results));
      EXPECT_FALSE(quadratic(border + 1, K, dense, results));
    }
  }
}

}  // namespace
}  // namespace cosformer::cpu
