#include "kernels/cpu/form.h"

#include <gtest/gtest.h>

namespace cosformer::cpu {
namespace {

AttentionShape square(int64_t T, int64_t K) {
  return {.B = 1, .Tq = T, .Tk = T, .H = 1, .G = 1, .K = K, .V = K};
}

TEST(Form, ShortSequencesAreQuadraticLongOnesAreNot) {
  const AttentionOptions causal{.horizon = 1 << 20, .causal = true};
  EXPECT_TRUE(quadratic_is_cheaper(square(16, 64), causal));
  EXPECT_TRUE(quadratic_is_cheaper(square(128, 64), causal));
  EXPECT_FALSE(quadratic_is_cheaper(square(1024, 64), causal));
  EXPECT_FALSE(quadratic_is_cheaper(square(128, 8), causal));
}

TEST(Form, OneStateMovesTheBorderDown) {
  const AttentionOptions with{.horizon = 1 << 20, .causal = true}, without{.causal = true};
  EXPECT_TRUE(quadratic_is_cheaper(square(250, 64), with));
  EXPECT_FALSE(quadratic_is_cheaper(square(250, 64), without));
}

}  // namespace
}  // namespace cosformer::cpu
