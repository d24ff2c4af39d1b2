#include "train/adamw.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cosformer::train {
namespace {

OptimizerRecipe recipe() {
  OptimizerRecipe recipe;
  recipe.beta1 = 0.9;
  recipe.beta2 = 0.98;
  recipe.eps = 1e-8;
  recipe.weight_decay = 0.5;
  recipe.clip_norm = 0;
  return recipe;
}

/// The definition, in double, for one weight.
struct Reference {
  double weight, m = 0, v = 0;
  void step(double gradient, double rate, double decay, int t) {
    m = 0.9 * m + 0.1 * gradient;
    v = 0.98 * v + 0.02 * gradient * gradient;
    const double direction = m / (1 - std::pow(0.9, t)) / (std::sqrt(v / (1 - std::pow(0.98, t))) + 1e-8);
    weight -= rate * (direction + decay * weight);
  }
};

TEST(AdamW, FollowsItsDefinitionAndDecaysMatricesAlone) {
  torch::Tensor matrix = torch::full({1, 1}, 2.0), vector = torch::full({1}, -3.0);
  AdamW optimizer({matrix, vector}, recipe());
  Reference of_matrix{2}, of_vector{-3};
  for (int t = 1; t <= 20; ++t) {
    const double gradient = std::sin(t) * (t % 3), rate = 0.01 * t;
    matrix.mutable_grad() = torch::full({1, 1}, gradient);
    vector.mutable_grad() = torch::full({1}, 2 * gradient);
    optimizer.step(rate, t);
    of_matrix.step(gradient, rate, 0.5, t);
    of_vector.step(2 * gradient, rate, 0, t);
    // A handful of roundings a step, of weights that stay below 4.
    const double bound = 4 * 8 * t * 0x1p-24;
    EXPECT_NEAR(matrix.item<double>(), of_matrix.weight, bound) << t;
    EXPECT_NEAR(vector.item<double>(), of_vector.weight, bound) << t;
    EXPECT_FALSE(matrix.grad().defined());
  }
  EXPECT_NEAR(optimizer.first_moments()[0].item<double>(), of_matrix.m, 1e-6);
  EXPECT_NEAR(optimizer.second_moments()[1].item<double>(), of_vector.v, 1e-5);
}

TEST(AdamW, ClipsAllGradientsByOneFactor) {
  torch::Tensor a = torch::zeros({2}), b = torch::zeros({1, 1});
  const auto gradients_after = [&](double clip_norm) {
    OptimizerRecipe clipped = recipe();
    clipped.clip_norm = clip_norm;
    a.mutable_grad() = torch::tensor({2.0, 3.0}, torch::kFloat32);
    b.mutable_grad() = torch::full({1, 1}, 6.0);
    EXPECT_FLOAT_EQ(static_cast<float>(AdamW({a, b}, clipped).clip_gradients()), 7) << "the norm before";
    return std::vector<float>{a.grad()[0].item<float>(), a.grad()[1].item<float>(), b.grad().item<float>()};
  };
  EXPECT_EQ(gradients_after(14), (std::vector<float>{2, 3, 6}));
  EXPECT_EQ(gradients_after(0), (std::vector<float>{2, 3, 6})) << "0 clips nothing";
  EXPECT_EQ(gradients_after(3.5), (std::vector<float>{1, 1.5, 3}));
}

}  // namespace
}  // namespace cosformer::train
