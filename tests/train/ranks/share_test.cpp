#include "train/ranks/share.h"

#include <gtest/gtest.h>

#include <map>

namespace cosformer::train {
namespace {

constexpr int64_t kNone = data::kNoTarget;

/// Tokens count up from 1; the last row is shorter by two.
data::Batch batch(int64_t rows, int64_t length) {
  data::Batch batch{rows, length, {}, {}, 0};
  for (int64_t i = 0; i < rows * length; ++i) {
    const bool is_padding = i >= rows * length - 2;
    batch.inputs.push_back(is_padding ? 0 : i + 1);
    batch.targets.push_back(is_padding ? kNone : i + 2);
    batch.predicted += is_padding ? 0 : 1;
  }
  return batch;
}

TEST(Share, OfOneProcessIsTheBatch) {
  const data::Batch whole = batch(3, 5), part = Share{}.of(whole);
  EXPECT_EQ(part.inputs, whole.inputs);
  EXPECT_EQ(part.targets, whole.targets);
  EXPECT_EQ(part.predicted, whole.predicted);
  EXPECT_EQ(part.rows, 3);
}

TEST(Share, TakesRowsAndStretches) {
  const data::Batch part = Share{1, 2, 1, 2}.of(batch(3, 4));
  EXPECT_EQ(part.rows, 2);
  EXPECT_EQ(part.length, 2);
  EXPECT_EQ(part.inputs, (std::vector<int64_t>{7, 8, 0, 0}));
  EXPECT_EQ(part.targets, (std::vector<int64_t>{8, 9, kNone, kNone}));
  EXPECT_EQ(part.predicted, 2);
}

TEST(Share, PadsStretchesBeyondTheEnd) {
  const data::Batch part = Share{0, 1, 3, 4}.of(batch(1, 5));  // stretches of 2: 0-1, 2-3, 4, none
  EXPECT_EQ(part.inputs, (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(part.predicted, 0);
}

TEST(Share, CoversEachTargetOnce) {
  for (const int64_t groups : {1, 2, 3, 5}) {
    for (const int64_t stretches : {1, 2, 3, 4}) {
      const data::Batch whole = batch(7, 6);
      std::map<int64_t, int> seen;
      int64_t predicted = 0;
      for (int64_t group = 0; group < groups; ++group) {
        for (int64_t stretch = 0; stretch < stretches; ++stretch) {
          const data::Batch part = Share{group, groups, stretch, stretches}.of(whole);
          EXPECT_GT(part.rows, 0);
          predicted += part.predicted;
          for (const int64_t target : part.targets) seen[target] += target == kNone ? 0 : 1;
        }
      }
      EXPECT_EQ(predicted, whole.predicted);
      for (const int64_t target : whole.targets)
        EXPECT_EQ(seen[target], target == kNone ? 0 : 1) << target << ' ' << groups << ' ' << stretches;
    }
  }
}

}  // namespace
}  // namespace cosformer::train
