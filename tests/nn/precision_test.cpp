#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>

#include "nn/autocast.h"
#include "nn/head_loss.h"
#include "nn/tiny_model.h"

namespace cosformer::nn::test {
namespace {

constexpr double kRounding = 0x1p-8;  // of a number to bfloat16's 8 bits

struct Gradients {
  double loss;
  std::vector<torch::Tensor> of;
};

Gradients gradients(LanguageModel& model, Precision precision) {
  model->zero_grad();
  const torch::Tensor loss = model->loss(tiny_tokens(4, 30), tiny_tokens(4, 30, 6), {.precision = precision});
  loss.backward();
  Gradients result{loss.item<double>(), {}};
  for (const torch::Tensor& parameter : model->parameters()) result.of.push_back(parameter.grad().clone());
  return result;
}

TEST(Precision, GradientsInBfloat16AreNearThoseInFloat32) {
  for (const std::string& kind : kKinds) {
    for (const std::string ffn : {"gelu", "swiglu"}) {
      const LanguageModelConfig config = tiny_config(kind, "learned", ffn);
      LanguageModel model = tiny_model(config);
      const Gradients exact = gradients(model, Precision::kFloat32);
      const Gradients rounded = gradients(model, Precision::kBfloat16);
      // On its way through a block a number is rounded at most 14 times: each product's two operands and its
      // result, features and activation; the gradient as often on its way back. Independent roundings add up
      // as the root of their number; 4 stands for the sum of sizes over the size of a sum.
      const double roundings = 2 * 14 * static_cast<double>(config.layers) + 3;
      const double bound = 4 * std::sqrt(roundings) * kRounding;
      EXPECT_NE(rounded.loss, exact.loss) << kind;
      EXPECT_NEAR(rounded.loss, exact.loss, bound) << kind;
      const auto parameters = model->named_parameters();
      for (std::size_t i = 0; i < exact.of.size(); ++i) {
        EXPECT_EQ(rounded.of[i].scalar_type(), torch::kFloat32) << parameters[i].key();
        // A key's bias adds the same to all scores of a row: its gradient in softmax is 0 but for rounding.
        if (kind == "softmax" && parameters[i].key().ends_with("key.bias")) continue;
        // A query's and a key's gradient is a difference: of a value and the mean of all, both rounded.
        const std::string& name = parameters[i].key();
        const bool of_score =
            name.find(".query.") != std::string::npos || name.find(".key.") != std::string::npos;
        EXPECT_LT((rounded.of[i] - exact.of[i]).norm().item<double>(),
                  (of_score ? 2 : 1) * bound * exact.of[i].norm().item<double>())
            << kind << ' ' << ffn << ' ' << name;
      }
    }
  }
}

TEST(Precision, TheHeadSumsInFloat32) {
  torch::manual_seed(3);
  const torch::Tensor x = torch::randn({70, 200}).requires_grad_();
  const torch::Tensor weight = torch::randn({300, 200}).requires_grad_();
  const torch::Tensor targets = torch::randint(300, {70}, torch::kInt64);
  const auto rounded = [](const torch::Tensor& tensor) {
    return tensor.detach().to(torch::kBFloat16).to(torch::kFloat64).requires_grad_();
  };
  const torch::Tensor x64 = rounded(x), weight64 = rounded(weight);
  const torch::Tensor expected = at::cross_entropy_loss(at::linear(x64, weight64), targets);
  const torch::Tensor loss = head_loss(x, weight, targets, {.rounded = true});
  // 200 terms of a logit, each sum rounded to 24 bits; logits are about 4 sqrt(200) at most.
  EXPECT_NEAR(loss.item<double>(), expected.item<double>(), 200 * 0x1p-24 * 4 * std::sqrt(200.0));
  const auto want = torch::autograd::grad({expected}, {x64, weight64});
  const auto got = torch::autograd::grad({loss}, {x, weight});
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(got[i].scalar_type(), torch::kFloat32);
    const double error = (got[i] - want[i]).norm().item<double>(), size = want[i].norm().item<double>();
    EXPECT_LT(error, kRounding * size) << "each element of the logits' gradient is rounded once";
    EXPECT_GT(error, 0x1p-14 * size) << "and it is rounded";
  }
}

TEST(Precision, OfTheCallerIsAsBefore) {
  LanguageModel model = tiny_model(tiny_config("cosformer"));
  const torch::Tensor tokens = tiny_tokens(2, 20), targets = tiny_tokens(2, 20, 3);
  model->loss(tokens, targets, {.precision = Precision::kBfloat16});
  EXPECT_EQ(autocast_dtype(), std::nullopt);
  const double exact = model->loss(tokens, targets).item<double>();
  {
    const Autocast on(torch::kBFloat16);
    EXPECT_EQ(autocast_dtype(), torch::kBFloat16);
    EXPECT_NE(model->loss(tokens, targets).item<double>(), exact) << "the caller's own autocast acts";
    {
      const Autocast off(std::nullopt);
      EXPECT_EQ(model->loss(tokens, targets).item<double>(), exact);
    }
    EXPECT_EQ(autocast_dtype(), torch::kBFloat16);
  }
  EXPECT_EQ(autocast_dtype(), std::nullopt);
}

}  // namespace
}  // namespace cosformer::nn::test
