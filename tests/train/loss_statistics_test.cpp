#include "train/loss_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace cosformer::train {
namespace {

/// 200 losses around 2, off by 0.1.
LossStatistics after_steady_losses() {
  std::mt19937_64 generator(1);
  LossStatistics statistics;
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(statistics.add(generator() % 2 == 0 ? 1.9 : 2.1));
  return statistics;
}

TEST(LossStatistics, KnowMeanAndDeviation) {
  const LossStatistics statistics = after_steady_losses();
  EXPECT_EQ(statistics.steps, 200);
  EXPECT_NEAR(statistics.mean, 2, 0.05);
  EXPECT_NEAR(std::sqrt(statistics.variance), 0.1, 0.03);
}

TEST(LossStatistics, FindWhatLiesSixDeviationsAbove) {
  LossStatistics statistics = after_steady_losses();
  const double limit = statistics.mean + 6 * std::sqrt(statistics.variance);
  EXPECT_FALSE(LossStatistics(statistics).add(limit));
  EXPECT_TRUE(LossStatistics(statistics).add(std::nextafter(limit, 10)));
  EXPECT_FALSE(LossStatistics(statistics).add(0.1)) << "a low loss is none";
  EXPECT_TRUE(statistics.add(1000));
  EXPECT_TRUE(statistics.add(1000)) << "one spike hides no other";
  EXPECT_NEAR(statistics.mean, 2, 0.2);
}

TEST(LossStatistics, GetUsedToAHigherLoss) {
  LossStatistics statistics = after_steady_losses();
  int spikes = 0;
  for (int i = 0; i < 300; ++i) spikes += statistics.add(5) ? 1 : 0;
  EXPECT_GT(spikes, 0);
  EXPECT_LT(spikes, 60);
  EXPECT_NEAR(statistics.mean, 5, 0.2);
}

TEST(LossStatistics, WaitForFiftySteps) {
  for (const int steps : {49, 50}) {
    LossStatistics statistics;
    for (int i = 0; i < steps; ++i) statistics.add(2);
    EXPECT_EQ(statistics.add(2.001), steps == 50) << "a loss that stands still has no deviation";
  }
}

TEST(LossStatistics, DoNotMarkALossThatFalls) {
  LossStatistics statistics;
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(statistics.add(1 + 9 * std::exp(-i / 100.0)));
}

}  // namespace
}  // namespace cosformer::train
