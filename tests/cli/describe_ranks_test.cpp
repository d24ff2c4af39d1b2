#include "cli/describe_ranks.h"

#include <gtest/gtest.h>

#include "cli/usage_error.h"
#include "support/errors.h"

namespace cosformer::cli {
namespace {

train::Recipe recipe() {
  train::Recipe recipe;
  recipe.model.vocabulary_size = 256;
  recipe.model.horizon = recipe.model.max_length = recipe.train.sequence_length = 1024;
  recipe.train.batch_size = 12;
  return recipe;
}

TEST(DescribeRanks, HasARowForEachDoublingAndTheLast) {
  const std::string text = describe_ranks(recipe(), 6, {1e11, 1e9});
  for (const char* row : {"\n    1  ", "\n    2  ", "\n    4  ", "\n    6  "})
    EXPECT_NE(text.find(row), std::string::npos) << row << text;
  EXPECT_EQ(text.find("\n    8  "), std::string::npos) << text;
  EXPECT_NE(text.find("100.0 %"), std::string::npos) << text;
}

TEST(DescribeRanks, RefusesRanksWithoutWork) {
  EXPECT_EQ(
      test::message_of<UsageError>([] {
        describe_ranks(recipe(), 13, {1e11, 1e9});
      }),
      "--ranks: expected a multiple of train.sequence_ranks = 1 up to 12, a row for each group, got 13");
  train::Recipe split = recipe();
  split.train.sequence_ranks = 4;
  EXPECT_EQ(test::message_of<UsageError>([&] {
              describe_ranks(split, 6, {1e11, 1e9});
            }),
            "--ranks: expected a multiple of train.sequence_ranks = 4 up to 48, a row for each group, got 6");
}

}  // namespace
}  // namespace cosformer::cli
