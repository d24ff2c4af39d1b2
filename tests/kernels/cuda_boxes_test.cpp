// Cases whose rows Hopper's tensor memory accelerator brings in part: sizes that it takes, sequences of more
// than a chunk. The others are fuzz_test.cpp's; its variables say how many, and where they begin.

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "kernels/device_run.h"
#include "kernels/random_case.h"
#include "kernels/under_test.h"
#include "support/environment.h"

namespace cosformer::test {
namespace {

constexpr int64_t kChunk = 64, kVector = 8;

/// Draws until a sequence may have a whole chunk.
RandomRun draw_long_run(uint64_t& seed) {
  RandomRun run;
  do {
    run = draw_run(seed++, 1);
  } while (std::max(run.c.shape.Tq, run.c.shape.Tk) < kChunk);
  for (int64_t* width : {&run.c.shape.K, &run.c.shape.V})
    *width = (std::max<int64_t>(*width, 1) + kVector - 1) / kVector * kVector;
  if (run.c.layout == Layout::misaligned) run.c.layout = Layout::contiguous;
  run.isa = under_test::isas().back();
  run.bfloat16 = true;
  return run;
}

TEST(Boxes, RandomCasesEqualReference) {
  const uint64_t cases = number_from("COSFORMER_FUZZ_CASES", under_test::fuzz_cases()) / 4;
  uint64_t seed = number_from("COSFORMER_FUZZ_SEED", 1);
  for (uint64_t i = 0; i < cases; ++i) {
    const RandomRun run = draw_long_run(seed);
    const std::string error = check_run(run);
    ASSERT_EQ(error, "") << "seed " << seed - 1 << ": " << run.describe();
  }
}

/// More chunks a block than it has room for, of four reads: output and three gradients.
TEST(Boxes, RowsABlockNeverChangeReads) {
  if (!is_hopper()) GTEST_SKIP() << "Hopper alone has boxes";
  for (const auto& [B, G, width, padding] :
       {std::tuple{1, 4, 72, Padding::none}, {2, 2, 72, Padding::packed}, {2, 4, 64, Padding::holes}}) {
    Case c;
    c.shape = {.B = B, .Tq = 520, .Tk = 520, .H = 4, .G = G, .K = width, .V = width};
    c.options = {.horizon = 1300, .normalize = padding == Padding::packed};
    c.padding = padding;
    const Inputs<bfloat16> inputs(c, true);
    const Results few = run_on_device(c, inputs, {.width = 1000, .architecture = 90});
    const Results many = run_on_device(c, inputs, {.width = 1, .architecture = 90});
    EXPECT_EQ(find_difference(few, many), "") << c.describe();
    const RandomRun run{.c = c, .bfloat16 = true};
    EXPECT_EQ(check_results(run, few, allowance(c, run.form, under_test::isas().back(), true)), "")
        << c.describe();
  }
}

}  // namespace
}  // namespace cosformer::test
