// The kernels for AMX, with plain loops in place of its instructions: everything but the instructions
// themselves.

#include <gtest/gtest.h>

#include <cstdlib>

#include "kernels/random_case.h"
#include "support/sanitized.h"

namespace cosformer::test {
namespace {

TEST(EmulatedTiles, RandomCasesEqualReference) {
  if (!available(Isa::avx512_bf16)) GTEST_SKIP() << "the rest of these kernels needs avx512_bf16";
  ASSERT_TRUE(available(Isa::amx));
  constexpr uint64_t kCases = kSanitized ? 400 : 1500;
  for (uint64_t seed = 1; seed <= kCases; ++seed) {
    RandomRun run = draw_run(seed, 2);  // chunks have 64 rows
    run.isa = Isa::amx;
    run.bfloat16 = true;
    if (check_run(run).empty()) continue;
    const RandomRun least =
        shrink(run, [](const RandomRun& r) { return r.isa == Isa::amx && !check_run(r).empty(); });
    FAIL() << "seed " << seed << ": " << run.describe() << "\nshrunk to " << least.describe() << "\n"
           << check_run(least);
  }
}

TEST(EmulatedTilesDeathTest, ThatTheSystemRefusesAreDoneWithoutSayingSoOnce) {
  if (!available(Isa::avx512_bf16)) GTEST_SKIP() << "the rest of these kernels needs avx512_bf16";
  testing::GTEST_FLAG(death_test_style) = "threadsafe";  // permission is asked for once a process
  const auto ask = [](const char* bound, const std::string& expected) {
    EXPECT_EXIT(
        {
          setenv("COSFORMER_REFUSE_TILES", "1", 1);
          setenv("COSFORMER_ISA", bound, 1);
          std::fprintf(stderr, "%s", name(selected_isa()));
          std::fprintf(stderr, " %s", name(selected_isa()));
          std::exit(0);
        },
        testing::ExitedWithCode(0), expected);
  };
  ask("",
      "^cosformer: the system refuses this process AMX's tiles \\(arch_prctl\\); bfloat16 goes without them\n"
      "avx512_bf16 avx512_bf16$");
  ask("avx512", "^avx512 avx512$");  // nobody asked for tiles
}

}  // namespace
}  // namespace cosformer::test
