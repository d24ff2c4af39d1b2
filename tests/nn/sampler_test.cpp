#include <gtest/gtest.h>

#include <cmath>

#include "cosformer/nn/generate.h"

namespace cosformer::nn::test {
namespace {

/// Logits of the probabilities 0.5, 0.3, 0.15, 0.05, shuffled: token 2 is the most likely.
const std::vector<float> kLogits = {std::log(0.15F), std::log(0.05F), std::log(0.5F), std::log(0.3F)};

std::vector<double> frequencies(const SamplingOptions& options, int draws = 40000) {
  Sampler sampler(options, 1);
  std::vector<double> counts(kLogits.size());
  for (int i = 0; i < draws; ++i) {
    ++counts[static_cast<size_t>(sampler.sample(kLogits))];
  }
  for (double& count : counts) {
    count /= draws;
  }
  return counts;
}

/// Five standard deviations of a frequency over 40,000 draws: fails by chance once in 10^6.
void expect_probabilities(const std::vector<double>& got, const std::vector<double>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], 5 * std::sqrt(expected[i] * (1 - expected[i]) / 40000)) << "token " << i;
  }
}

TEST(Sampler, DrawsByProbability) {
  expect_probabilities(frequencies({}), {0.15, 0.05, 0.5, 0.3});
}

TEST(Sampler, TemperatureSharpens) {
  // Temperature 1/2 squares the probabilities.
  const double sum = 0.0225 + 0.0025 + 0.25 + 0.09;
  expect_probabilities(frequencies({.temperature = 0.5}),
                       {0.0225 / sum, 0.0025 / sum, 0.25 / sum, 0.09 / sum});
}

TEST(Sampler, TopKKeepsTheMostLikely) {
  expect_probabilities(frequencies({.top_k = 2}), {0, 0, 0.5 / 0.8, 0.3 / 0.8});
  expect_probabilities(frequencies({.top_k = 9}), {0.15, 0.05, 0.5, 0.3});
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  expect_probabilities(frequencies({.top_p = 0.4}), {0, 0, 1, 0});
  expect_probabilities(frequencies({.top_p = 0.79}), {0, 0, 0.5 / 0.8, 0.3 / 0.8});
  expect_probabilities(frequencies({.top_p = 0.81}), {0.15 / 0.95, 0, 0.5 / 0.95, 0.3 / 0.95});
}

TEST(Sampler, TopPCountsWithinTopK) {
  // Of the best two the first alone has 0.625.
  expect_probabilities(frequencies({.top_k = 2, .top_p = 0.6}), {0, 0, 1, 0});
}

TEST(Sampler, GreedyTakesTheFirstOfEquals) {
  Sampler sampler({.temperature = 0}, 1);
  EXPECT_EQ(sampler.sample(kLogits), 2);
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 3}), 1);
}

TEST(Sampler, SeedFixesTheDraws) {
  const auto draws = [](uint64_t seed) {
    Sampler sampler({}, seed);
    std::vector<int64_t> tokens(50);
    for (int64_t& token : tokens) {
      token = sampler.sample(kLogits);
    }
    return tokens;
  };
  EXPECT_EQ(draws(3), draws(3));
  EXPECT_NE(draws(3), draws(4));
}

TEST(Sampler, ImpossibleTokensAreNeverDrawn) {
  Sampler sampler({}, 1);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(sampler.sample(std::vector<float>{-INFINITY, 0, -INFINITY}), 1);
  }
}

TEST(Sampler, RefusesBadOptionsAndLogits) {
  EXPECT_THROW(Sampler({.temperature = -1}, 1), ShapeError);
  EXPECT_THROW(Sampler({.temperature = NAN}, 1), ShapeError);
  EXPECT_THROW(Sampler({.top_k = -1}, 1), ShapeError);
  EXPECT_THROW(Sampler({.top_p = 0}, 1), ShapeError);
  EXPECT_THROW(Sampler({.top_p = 1.5}, 1), ShapeError);
  Sampler sampler({}, 1);
  EXPECT_THROW(sampler.sample(std::vector<float>{}), ShapeError);
  EXPECT_THROW(sampler.sample(std::vector<float>{0, NAN}), ShapeError);
  EXPECT_THROW(sampler.sample(std::vector<float>{-INFINITY}), ShapeError);
}

}  // namespace
}  // namespace cosformer::nn::test
