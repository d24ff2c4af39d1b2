#include "kernels/cpu/form.h"

#include <gtest/gtest.h>

namespace cosformer::cpu {
namespace {

bool quadratic(int64_t T, int64_t K, const AttentionOptions& options) {
  return quadratic_is_cheaper(T, T, K, K, options);
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
  EXPECT_TRUE(quadratic(240, 64, with));
  EXPECT_FALSE(quadratic(240, 64, without));
}

}  // namespace
}  // namespace cosformer::cpu
