// How few heads are divided between threads.

#include "kernels/cpu/division.h"

#include <gtest/gtest.h>

namespace cosformer::cpu {
namespace {

TEST(Division, AsManyHeadsAsThreadsAreSweptWhole) {
  for (const bool quadratic : {false, true}) {
    const Division d = divide(8, 64, 64, 64, quadratic, 8);
    EXPECT_EQ(d.together, 1);
    EXPECT_EQ(d.parts_beside, 1);
  }
}

// In products of rows and states: together 3, beside 2. Two thirds of the rows take 2 while the other sweep
// takes 2, the rest then 2 / 3 each.
TEST(Division, TwoThreadsShareTheRestOfOneHead) {
  const Division d = divide(1, 64, 64, 64, false, 2);
  EXPECT_NEAR(d.together, 2.0 / 3, 0.01);
}

TEST(Division, SixThreadsTakeAThirdOfOneHeadsResultsEach) {
  const Division d = divide(1, 64, 64, 64, false, 6);
  EXPECT_EQ(d.together, 0);
  EXPECT_EQ(d.out_parts, 2);
  EXPECT_EQ(d.twin_parts, 2);
  EXPECT_EQ(d.parts_beside, 2);
}

TEST(Division, AQuadraticSweepIsNotCut) {
  for (const int width : {1, 2, 3, 4, 6, 16}) {
    const Division d = divide(1, 64, 64, 64, true, width);
    EXPECT_TRUE(d.together == 0 || d.together == 1) << width;
  }
}

TEST(Division, CountsTheSameForEveryShareOfHeadsAndThreads) {
  const Division one = divide(1, 128, 128, 128, false, 4), many = divide(5, 128, 128, 128, false, 20);
  EXPECT_EQ(one.together, many.together);
  EXPECT_EQ(one.out_parts, many.out_parts);
  EXPECT_EQ(one.twin_parts, many.twin_parts);
}

TEST(Division, PartsNeverExceedWhatColumnsAllow) {
  for (const int64_t columns : {0, 1, 32, 33, 160}) {
    for (const int width : {1, 2, 5, 64}) {
      const Division d = divide(1, columns, 32, columns, false, width);
      EXPECT_LE(d.out_parts, (columns + 31) / 32 + (columns == 0));
      EXPECT_EQ(d.twin_parts, 1);
      EXPECT_GE(d.out_parts, 1);
    }
  }
}

TEST(Division, RangesOfColumnsCoverThem) {
  for (const int64_t parts : {1, 2, 3, 5}) {
    int64_t at = 0;
    for (int64_t part = 0; part < parts; ++part) {
      const Columns c = columns_of(150, part, parts);
      EXPECT_EQ(c.begin, at);
      at = c.end;
    }
    EXPECT_EQ(at, 150);
  }
}

}  // namespace
}  // namespace cosformer::cpu
