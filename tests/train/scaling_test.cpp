#include "train/scaling.h"

#include <gtest/gtest.h>

namespace cosformer::train {
namespace {

Recipe recipe(int64_t rows, int64_t length, int64_t stretches = 1) {
  Recipe recipe;
  recipe.model.vocabulary_size = 256;
  recipe.model.layers = 6;
  recipe.model.width = 512;
  recipe.model.heads = 8;
  recipe.model.ffn_width = 2048;
  recipe.model.horizon = length;
  recipe.model.max_length = length;
  recipe.train.batch_size = rows;
  recipe.train.sequence_length = length;
  recipe.train.sequence_ranks = stretches;
  return recipe;
}

constexpr RankMachine kMachine{1e11, 1e9};

TEST(Scaling, OneRankOnlyComputes) {
  const StepCosts costs = step_costs(recipe(8, 1024), 1, kMachine);
  EXPECT_EQ(costs.efficiency(), 1);
  EXPECT_EQ(costs.gradient_bytes + costs.state_bytes, 0);
}

TEST(Scaling, RecomputingAddsAThird) {
  Recipe recomputed = recipe(8, 1024);
  recomputed.train.recompute = true;
  EXPECT_DOUBLE_EQ(operations_per_token(recomputed) * 3, operations_per_token(recipe(8, 1024)) * 4);
  EXPECT_DOUBLE_EQ(step_costs(recomputed, 1, kMachine).compute * kMachine.rate,
                   operations_per_token(recomputed) * 8 * 1024);
}

TEST(Scaling, RanksShareTheRows) {
  const StepCosts one = step_costs(recipe(8, 1024), 1, kMachine),
                  four = step_costs(recipe(8, 1024), 4, kMachine);
  EXPECT_DOUBLE_EQ(four.compute, one.compute / 4);
  EXPECT_LT(four.memory, one.memory);
  // A ring sends 2 (n - 1) / n of the gradients.
  const StepCosts two = step_costs(recipe(8, 1024), 2, kMachine);
  EXPECT_DOUBLE_EQ(four.gradient_bytes / two.gradient_bytes, 1.5);
  EXPECT_LT(two.efficiency(), 1);
  EXPECT_GT(two.efficiency(), 0.9);
}

TEST(Scaling, AFasterLinkHidesMore) {
  RankMachine fast = kMachine;
  fast.link *= 100;
  fast.latency = 0;
  EXPECT_GT(step_costs(recipe(8, 64), 8, fast).efficiency(),
            step_costs(recipe(8, 64), 8, kMachine).efficiency());
}

TEST(Scaling, StatesDoNotGrowWithTheLength) {
  const StepCosts shorter = step_costs(recipe(1, 1 << 14, 4), 4, kMachine);
  const StepCosts longer = step_costs(recipe(1, 1 << 20, 4), 4, kMachine);
  EXPECT_EQ(shorter.state_bytes, longer.state_bytes);
  EXPECT_DOUBLE_EQ(longer.ring_attention_bytes / shorter.ring_attention_bytes, 64);
  // layers * (forward, backward) * (S - 1) * H N K (V + 1) floats.
  EXPECT_EQ(longer.state_bytes, 6.0 * 2 * 3 * 8 * 2 * 64 * 65 * 4);
}

}  // namespace
}  // namespace cosformer::train
