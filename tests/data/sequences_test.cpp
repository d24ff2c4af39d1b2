#include "data/sequences.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

namespace cosformer::data {
namespace {

/// Tokens that tell their place: 100, 101, ...
Sequences numbered(int64_t tokens, int64_t length) {
  std::vector<int32_t> numbers(static_cast<std::size_t>(tokens));
  std::iota(numbers.begin(), numbers.end(), 100);
  return {Tokens(std::move(numbers)), length};
}

TEST(Sequences, EveryTokenButTheFirstIsPredictedOnceFromTheOneBefore) {
  for (const int64_t tokens : {2, 4, 5, 8, 9, 10, 33}) {
    const Sequences sequences = numbered(tokens, 4);
    EXPECT_EQ(sequences.predicted(), tokens - 1);
    std::map<int64_t, int> times;
    for (int64_t i = 0; i < sequences.count(); ++i) {
      const Batch batch = sequences.batch(std::vector<int64_t>{i});
      EXPECT_EQ(batch.length, batch.predicted) << "one sequence alone needs no padding";
      for (std::size_t t = 0; t < batch.targets.size(); ++t) {
        ++times[batch.targets[t]];
        EXPECT_EQ(batch.inputs[t] + 1, batch.targets[t]);
      }
    }
    ASSERT_EQ(times.size(), static_cast<std::size_t>(tokens - 1));
    EXPECT_EQ(times.begin()->first, 101);
    for (const auto& [token, count] : times) EXPECT_EQ(count, 1) << token;
  }
}

TEST(Sequences, CountsTheShorterLastOne) {
  EXPECT_EQ(numbered(0, 4).count(), 0);
  EXPECT_EQ(numbered(1, 4).count(), 0);
  EXPECT_EQ(numbered(2, 4).count(), 1);
  EXPECT_EQ(numbered(5, 4).count(), 1);
  EXPECT_EQ(numbered(6, 4).count(), 2);
}

TEST(Sequences, TheShorterOneIsPaddedWithoutTargets) {
  const Batch batch = numbered(7, 4).batch(std::vector<int64_t>{1, 0});
  EXPECT_EQ(batch.rows, 2);
  EXPECT_EQ(batch.length, 4);
  EXPECT_EQ(batch.predicted, 6);
  EXPECT_EQ(batch.inputs, (std::vector<int64_t>{104, 105, 0, 0, 100, 101, 102, 103}));
  EXPECT_EQ(batch.targets, (std::vector<int64_t>{105, 106, kNoTarget, kNoTarget, 101, 102, 103, 104}));
}

}  // namespace
}  // namespace cosformer::data
