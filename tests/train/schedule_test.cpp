#include "train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cosformer::train {
namespace {

OptimizerRecipe recipe(int64_t warmup_steps) {
  OptimizerRecipe recipe;
  recipe.learning_rate = 2;
  recipe.final_fraction = 0.1;
  recipe.warmup_steps = warmup_steps;
  return recipe;
}

TEST(Schedule, RisesLinearlyToThePeak) {
  EXPECT_DOUBLE_EQ(learning_rate(recipe(10), 1, 110), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(recipe(10), 5, 110), 1);
  EXPECT_DOUBLE_EQ(learning_rate(recipe(10), 10, 110), 2);
}

TEST(Schedule, FallsAlongHalfACosineToItsFraction) {
  EXPECT_DOUBLE_EQ(learning_rate(recipe(10), 60, 110), 1.1) << "halfway, the mean of 2 and 0.2";
  EXPECT_DOUBLE_EQ(learning_rate(recipe(10), 110, 110), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(recipe(10), 35, 110), 0.2 + 1.8 * 0.5 * (1 + std::sqrt(0.5)));
  for (int64_t step = 11; step <= 110; ++step) {
    EXPECT_LT(learning_rate(recipe(10), step, 110), learning_rate(recipe(10), step - 1, 110));
  }
}

TEST(Schedule, NeedsNoWarmUpAndNoCosine) {
  EXPECT_NEAR(learning_rate(recipe(0), 1, 1000), 2, 1e-4);
  EXPECT_DOUBLE_EQ(learning_rate(recipe(0), 1, 1), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(recipe(100), 50, 50), 1) << "a run that ends in its warm-up";
  EXPECT_DOUBLE_EQ(learning_rate(recipe(50), 50, 50), 0.2);
}

}  // namespace
}  // namespace cosformer::train
