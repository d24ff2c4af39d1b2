#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cosformer::train {
namespace {

OptimizerRecipe recipe(const char* kind) {
  OptimizerRecipe recipe;
  recipe.kind = kind;
  recipe.beta1 = 0.9;
  recipe.beta2 = 0.98;
  recipe.eps = 1e-8;
  recipe.momentum = 0.75;
  recipe.weight_decay = 0.5;
  recipe.clip_norm = 0;
  return recipe;
}

/// The definitions, in double, for one weight.
struct Reference {
  std::string kind;
  double weight, m = 0, v = 0;

  void step(double gradient, double rate, double decay, int t) {
    if (kind == "nag") {
      m = 0.75 * m + gradient;
      weight -= rate * (gradient + 0.75 * m + decay * weight);
      return;
    }
    if (kind == "adam") gradient += decay * weight;
    m = 0.9 * m + 0.1 * gradient;
    v = 0.98 * v + 0.02 * gradient * gradient;
    const double direction = m / (1 - std::pow(0.9, t)) / (std::sqrt(v / (1 - std::pow(0.98, t))) + 1e-8);
    weight -= rate * (direction + (kind == "adamw" ? decay * weight : 0));
  }
};

void expect_definition(const char* kind, const char* decay) {
  SCOPED_TRACE(std::string(kind) + ", decay of " + decay);
  torch::Tensor matrix = torch::full({1, 1}, 2.0), vector = torch::full({1}, -3.0);
  OptimizerRecipe options = recipe(kind);
  options.decay = decay;
  Optimizer optimizer({matrix, vector}, options);
  Reference of_matrix{kind, 2}, of_vector{kind, -3};
  const double decay_of_vector = options.decay == "all" ? 0.5 : 0;
  for (int t = 1; t <= 20; ++t) {
    const double gradient = std::sin(t) * (t % 3), rate = 0.01 * t;
    matrix.mutable_grad() = torch::full({1, 1}, gradient);
    vector.mutable_grad() = torch::full({1}, 2 * gradient);
    optimizer.step(rate, t);
    of_matrix.step(gradient, rate, 0.5, t);
    of_vector.step(2 * gradient, rate, decay_of_vector, t);
    // A handful of roundings a step, of weights that stay below 4.
    const double bound = 4 * 8 * t * 0x1p-24;
    EXPECT_NEAR(matrix.item<double>(), of_matrix.weight, bound) << t;
    EXPECT_NEAR(vector.item<double>(), of_vector.weight, bound) << t;
    EXPECT_FALSE(matrix.grad().defined());
  }
  EXPECT_NEAR(optimizer.memories()[0].tensors[0].item<double>(), of_matrix.m, 1e-5);
  if (optimizer.memories().size() > 1) {
    EXPECT_NEAR(optimizer.memories()[1].tensors[1].item<double>(), of_vector.v, 1e-5);
  }
}

TEST(Optimizer, NagWithoutMomentumIsGradientDescent) {
  OptimizerRecipe options = recipe("nag");
  options.momentum = options.weight_decay = 0;
  torch::Tensor weight = torch::full({1, 1}, 2.0);
  Optimizer optimizer({weight}, options);
  for (int t = 1; t <= 3; ++t) {
    weight.mutable_grad() = torch::full({1, 1}, 0.25);
    optimizer.step(0.5, t);
    EXPECT_EQ(weight.item<double>(), 2 - 0.125 * t);
  }
}

TEST(Optimizer, FollowsItsDefinition) {
  for (const char* kind : {"adamw", "adam", "nag"}) {
    for (const char* decay : {"matrices", "all"}) expect_definition(kind, decay);
  }
}

TEST(Optimizer, NamesWhatItRemembers) {
  const auto names = [](const char* kind) {
    const Optimizer optimizer({torch::zeros({2})}, recipe(kind));
    std::string all;
    for (const Optimizer::Memory& memory : optimizer.memories()) all += memory.name + ' ';
    return all;
  };
  EXPECT_EQ(names("adamw"), "first_moments second_moments ");
  EXPECT_EQ(names("nag"), "momentum ");
}

class Clipping : public testing::Test {
 protected:
  /// The gradients 2, 3 and 6, of norm 7, after they were clipped.
  std::vector<float> clipped(double value, double norm) {
    OptimizerRecipe options = recipe("adamw");
    options.clip_value = value;
    options.clip_norm = norm;
    a_.mutable_grad() = torch::tensor({2.0, 3.0}, torch::kFloat32);
    b_.mutable_grad() = torch::full({1, 1}, -6.0);
    EXPECT_FLOAT_EQ(static_cast<float>(Optimizer({a_, b_}, options).clip_gradients()), 7)
        << "the norm before";
    return {a_.grad()[0].item<float>(), a_.grad()[1].item<float>(), b_.grad().item<float>()};
  }

  torch::Tensor a_ = torch::zeros({2}), b_ = torch::zeros({1, 1});
};

TEST_F(Clipping, AllGradientsByOneFactor) {
  EXPECT_EQ(clipped(0, 14), (std::vector<float>{2, 3, -6}));
  EXPECT_EQ(clipped(0, 0), (std::vector<float>{2, 3, -6})) << "0 clips nothing";
  EXPECT_EQ(clipped(0, 3.5), (std::vector<float>{1, 1.5, -3}));
}

TEST_F(Clipping, EachElementThenAllTogether) {
  EXPECT_EQ(clipped(2.5, 0), (std::vector<float>{2, 2.5, -2.5}));
  EXPECT_EQ(clipped(2, std::sqrt(3.0)), (std::vector<float>{1, 1, -1}));
  EXPECT_EQ(clipped(2, 4), (std::vector<float>{2, 2, -2}));
}

}  // namespace
}  // namespace cosformer::train
