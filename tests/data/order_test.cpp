#include "data/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace cosformer::data {
namespace {

TEST(Order, AnEpochIsAPermutation) {
  for (const int64_t count : {1, 2, 7, 1000}) {
    std::vector<int64_t> numbers = epoch_permutation(count, 3, 5);
    std::sort(numbers.begin(), numbers.end());
    std::vector<int64_t> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(numbers, all);
  }
}

// Written down once: another compiler, library or processor gives the same.
TEST(Order, IsFixedForAllTime) {
  EXPECT_EQ(epoch_permutation(10, 1, 0), (std::vector<int64_t>{2, 1, 8, 9, 6, 7, 3, 5, 0, 4}));
  EXPECT_EQ(epoch_permutation(10, (uint64_t{1} << 40) + 1, 3),
            (std::vector<int64_t>{1, 4, 3, 5, 6, 9, 2, 8, 0, 7}));
}

TEST(Order, DependsOnSeedAndEpoch) {
  EXPECT_NE(epoch_permutation(100, 1, 0), epoch_permutation(100, 1, 1));
  EXPECT_NE(epoch_permutation(100, 1, 0), epoch_permutation(100, 2, 0));
  EXPECT_NE(epoch_permutation(100, 1, 0), epoch_permutation(100, (uint64_t{1} << 32) + 1, 0));
}

TEST(Order, PlacesAreEqualLikely) {
  // Of 3 numbers each of 6 orders is as likely: 6000 epochs, 1000 of each with a deviation of 29.
  std::vector<int64_t> order = {0, 1, 2};
  std::vector<int> counts;
  do {
    int count = 0;
    for (int64_t epoch = 0; epoch < 6000; ++epoch) count += epoch_permutation(3, 9, epoch) == order;
    EXPECT_NEAR(count, 1000, 5 * 29);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(SequenceOrder, RunsThroughEpochsFromAnyPlace) {
  SequenceOrder stream(7, 11);
  std::vector<int64_t> first;
  for (int64_t place = 0; place < 21; ++place) first.push_back(stream.at(place));
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    const auto begin = first.begin() + 7 * epoch;
    EXPECT_EQ(std::vector<int64_t>(begin, begin + 7), epoch_permutation(7, 11, epoch));
  }
  SequenceOrder later(7, 11);
  for (int64_t place = 20; place >= 0; --place) {
    EXPECT_EQ(later.at(place), first[static_cast<std::size_t>(place)]);
  }
}

TEST(KeyedPermutation, IsAPermutation) {
  for (const int64_t count : {1, 2, 3, 4, 5, 16, 17, 1000, 65537}) {
    const KeyedPermutation permutation(count, 3, 5);
    std::vector<bool> seen(static_cast<std::size_t>(count));
    for (int64_t place = 0; place < count; ++place) {
      const int64_t number = permutation.at(place);
      ASSERT_TRUE(number >= 0 && number < count) << count;
      EXPECT_FALSE(seen[static_cast<std::size_t>(number)]) << count;
      seen[static_cast<std::size_t>(number)] = true;
    }
  }
}

// Computed by another program from the definition.
TEST(KeyedPermutation, IsFixedForAllTime) {
  const KeyedPermutation small(10, 1, 0), large(int64_t{1} << 40, (uint64_t{1} << 40) + 1, 3);
  std::vector<int64_t> numbers;
  for (int64_t place = 0; place < 10; ++place) numbers.push_back(small.at(place));
  EXPECT_EQ(numbers, (std::vector<int64_t>{5, 3, 2, 0, 6, 9, 1, 7, 4, 8}));
  EXPECT_EQ(large.at(0), 506560612969);
  EXPECT_EQ(large.at((int64_t{1} << 40) - 1), 603134031293);
}

TEST(KeyedPermutation, PlacesAreEqualLikely) {
  // Of 3 numbers each of 6 orders is as likely: 6000 epochs, 1000 of each with a deviation of 29.
  std::vector<int64_t> order = {0, 1, 2};
  do {
    int count = 0;
    for (int64_t epoch = 0; epoch < 6000; ++epoch) {
      const KeyedPermutation permutation(3, 9, epoch);
      count += permutation.at(0) == order[0] && permutation.at(1) == order[1];
    }
    EXPECT_NEAR(count, 1000, 5 * 29);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(SequenceOrder, NeedsNoTableForMany) {
  const int64_t count = int64_t{3} << 40;
  SequenceOrder stream(count, 11);
  std::set<int64_t> seen;
  int64_t lower_half = 0;
  for (const int64_t begin : {int64_t{0}, count - 5000}) {
    for (int64_t place = begin; place < begin + 5000; ++place) {
      const int64_t number = stream.at(place);
      ASSERT_TRUE(number >= 0 && number < count);
      lower_half += number < count / 2;
      seen.insert(number);
    }
  }
  EXPECT_EQ(seen.size(), 10000U);
  EXPECT_NEAR(static_cast<double>(lower_half), 5000, 5 * 50);
  EXPECT_NE(stream.at(count), stream.at(0)) << "the next epoch has an order of its own";
  EXPECT_NE(SequenceOrder(count, 12).at(0), stream.at(0));
}

}  // namespace
}  // namespace cosformer::data
