#include "cli/progress.h"

#include <gtest/gtest.h>

#include <limits>

namespace cosformer::cli {
namespace {

TEST(Progress, ALineSaysHowFarAndHowLong) {
  const train::TrainProgress progress{250, 1000, 2.34567, 512, std::nullopt};
  EXPECT_EQ(progress_line(progress, 2.2, 12345.4, 3661.2, 8),
            "[##......]  step 250/1000  loss 2.3457  valid 2.2000  12,345 tokens/s  1:01:02 left");
  EXPECT_EQ(progress_line(progress, std::nullopt, 12345.4, 61, 0),
            "step 250/1000  loss 2.3457  12,345 tokens/s  1:01 left");
}

TEST(Progress, WhatIsNotKnownIsLeftOut) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(progress_line({1, 10, 5, 512, std::nullopt}, std::nullopt, nan, nan, 0),
            "step 1/10  loss 5.0000");
}

}  // namespace
}  // namespace cosformer::cli
