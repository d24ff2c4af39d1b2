// Random shapes, strides, masks, dtypes, options, instruction sets and threads against the reference.
// COSFORMER_FUZZ_CASES sets how many, COSFORMER_FUZZ_SEED where they begin.

#include <gtest/gtest.h>

#include "kernels/random_case.h"
#include "kernels/under_test.h"
#include "support/environment.h"

namespace cosformer::test {
namespace {

TEST(Fuzz, EveryRandomCaseEqualsReference) {
  const uint64_t first = number_from("COSFORMER_FUZZ_SEED", 1);
  const uint64_t cases = number_from("COSFORMER_FUZZ_CASES", under_test::fuzz_cases());
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    const RandomRun run = draw_run(seed);
    if (check_run(run).empty()) continue;
    const RandomRun least = shrink(run, [](const RandomRun& r) { return !check_run(r).empty(); });
    FAIL() << "seed " << seed << ": " << run.describe() << "\nshrunk to " << least.describe() << "\n"
           << check_run(least);
  }
  RecordProperty("cases", std::to_string(cases));
}

// Sums that erred by more than the bound when they were one chain: 24508, dS over 152 tokens of five query
// heads; 30078614, one token's output over 168 rows of two states.
TEST(Fuzz, SeedsThatOnceFailed) {
  for (const uint64_t seed : {24508, 30078614}) {
    const RandomRun run = draw_run(seed);
    EXPECT_EQ(check_run(run), "") << "seed " << seed << ": " << run.describe();
  }
}

TEST(Fuzz, ShrinkingFindsTheLeastFailure) {
  const auto fails = [](const RandomRun& r) { return r.c.shape.K >= 3 && r.c.shape.Tq >= 2; };
  uint64_t seed = 1;
  while (!fails(draw_run(seed))) ++seed;
  const RandomRun least = shrink(draw_run(seed), fails);
  EXPECT_EQ(least.c.shape.K, 3);
  EXPECT_EQ(least.c.shape.Tq, 2);
  EXPECT_EQ(least.c.shape.V, 0);
}

}  // namespace
}  // namespace cosformer::test
