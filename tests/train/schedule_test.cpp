#include "train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cosformer::train {
namespace {

ScheduleRecipe recipe(const char* kind, int64_t warmup_steps) {
  ScheduleRecipe recipe;
  recipe.kind = kind;
  recipe.final_fraction = 0.1;
  recipe.warmup_steps = warmup_steps;
  return recipe;
}

TEST(Schedule, RisesLinearlyToThePeak) {
  for (const char* kind : {"cosine", "cosine_restarts", "linear", "polynomial", "inverse_sqrt", "constant"}) {
    EXPECT_DOUBLE_EQ(learning_rate(2, recipe(kind, 10), 1, 110), 0.2) << kind;
    EXPECT_DOUBLE_EQ(learning_rate(2, recipe(kind, 10), 5, 110), 1) << kind;
    EXPECT_DOUBLE_EQ(learning_rate(2, recipe(kind, 10), 10, 110), 2) << kind;
  }
}

TEST(Schedule, RisesFromWhereItIsTold) {
  ScheduleRecipe late = recipe("cosine", 10);
  late.warmup_start = 0.5;
  EXPECT_DOUBLE_EQ(learning_rate(2, late, 1, 110), 1.1);
  EXPECT_DOUBLE_EQ(learning_rate(2, late, 5, 110), 1.5);
  EXPECT_DOUBLE_EQ(learning_rate(2, late, 10, 110), 2);
}

TEST(Schedule, FallsAlongHalfACosineToItsFraction) {
  const ScheduleRecipe cosine = recipe("cosine", 10);
  EXPECT_DOUBLE_EQ(learning_rate(2, cosine, 60, 110), 1.1) << "halfway, the mean of 2 and 0.2";
  EXPECT_DOUBLE_EQ(learning_rate(2, cosine, 110, 110), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(2, cosine, 35, 110), 0.2 + 1.8 * 0.5 * (1 + std::sqrt(0.5)));
  for (int64_t step = 11; step <= 110; ++step) {
    EXPECT_LT(learning_rate(2, cosine, step, 110), learning_rate(2, cosine, step - 1, 110));
  }
}

TEST(Schedule, RestartsWithLongerPeriodsAndLowerPeaks) {
  ScheduleRecipe restarts = recipe("cosine_restarts", 10);
  restarts.period = 20;
  restarts.period_growth = 3;
  restarts.restart_peak = 0.5;
  EXPECT_DOUBLE_EQ(learning_rate(2, restarts, 20, 1000), 1.1) << "half of the first period";
  EXPECT_DOUBLE_EQ(learning_rate(2, restarts, 30, 1000), 1) << "the second one begins, half as high";
  EXPECT_DOUBLE_EQ(learning_rate(2, restarts, 60, 1000), 0.55) << "half of its 60 steps";
  EXPECT_DOUBLE_EQ(learning_rate(2, restarts, 90, 1000), 0.5) << "the third one, of 180 steps";
  EXPECT_DOUBLE_EQ(learning_rate(2, restarts, 180, 1000), 0.275);
}

TEST(Schedule, FallsLinearlyAndByAPower) {
  const ScheduleRecipe linear = recipe("linear", 10);
  EXPECT_DOUBLE_EQ(learning_rate(2, linear, 60, 110), 1.1);
  EXPECT_DOUBLE_EQ(learning_rate(2, linear, 85, 110), 0.65);
  EXPECT_DOUBLE_EQ(learning_rate(2, linear, 110, 110), 0.2);
  ScheduleRecipe square = recipe("polynomial", 10);
  square.power = 2;
  EXPECT_DOUBLE_EQ(learning_rate(2, square, 60, 110), 0.2 + 1.8 * 0.25);
  EXPECT_DOUBLE_EQ(learning_rate(2, square, 110, 110), 0.2);
}

TEST(Schedule, FallsWithTheInverseRootOfTheStep) {
  EXPECT_DOUBLE_EQ(learning_rate(2, recipe("inverse_sqrt", 25), 100, 1000), 1);
  EXPECT_DOUBLE_EQ(learning_rate(2, recipe("inverse_sqrt", 0), 100, 1000), 0.2);
  // Long Range Arena: 0.05 min(1, step / 8000) / sqrt(max(step, 8000)).
  const ScheduleRecipe rsqrt = recipe("rsqrt", 8000);
  EXPECT_DOUBLE_EQ(learning_rate(0.05, rsqrt, 1, 20'000), 0.05 / 8000 / std::sqrt(8000));
  EXPECT_DOUBLE_EQ(learning_rate(0.05, rsqrt, 8000, 20'000), 0.05 / std::sqrt(8000));
  EXPECT_DOUBLE_EQ(learning_rate(0.05, rsqrt, 20'000, 20'000), 0.05 / std::sqrt(20'000));
}

TEST(Schedule, StaysConstant) {
  EXPECT_DOUBLE_EQ(learning_rate(2, recipe("constant", 10), 1000, 1000), 2);
}

TEST(Schedule, NeedsNoWarmUpAndNoFall) {
  EXPECT_NEAR(learning_rate(2, recipe("cosine", 0), 1, 1000), 2, 1e-4);
  EXPECT_DOUBLE_EQ(learning_rate(2, recipe("cosine", 0), 1, 1), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(2, recipe("cosine", 100), 50, 50), 1) << "a run that ends in its warm-up";
  EXPECT_DOUBLE_EQ(learning_rate(2, recipe("cosine", 50), 50, 50), 0.2);
}

TEST(ScheduleNotes, SayWhereARunIsTooShort) {
  ScheduleRecipe recipe;
  recipe.warmup_steps = 100;
  EXPECT_EQ(schedule_notes(recipe, 101), std::vector<std::string>{});
  EXPECT_EQ(
      schedule_notes(recipe, 100),
      std::vector<std::string>{"schedule.warmup_steps = 100: the run of 100 steps ends before the learning "
                               "rate has come down from its peak"});
  recipe.kind = "cosine_restarts";
  recipe.period = 50;
  recipe.period_growth = 2;
  EXPECT_EQ(schedule_notes(recipe, 150), std::vector<std::string>{});
  EXPECT_EQ(schedule_notes(recipe, 250), std::vector<std::string>{});
  EXPECT_EQ(schedule_notes(recipe, 248),
            std::vector<std::string>{
                "schedule.period = 50: the run of 248 steps ends 98 steps into a period of 100"});
  EXPECT_EQ(schedule_notes(recipe, 120),
            std::vector<std::string>{
                "schedule.period = 50: the run of 120 steps ends 20 steps into a period of 50"});
}

}  // namespace
}  // namespace cosformer::train
