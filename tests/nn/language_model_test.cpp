#include "cosformer/nn/language_model.h"

#include <gtest/gtest.h>

#include "nn/tiny_model.h"

namespace cosformer::nn::test {
namespace {

class EveryKind : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryKind, LogitsHaveOneRowAToken) {
  LanguageModel model = tiny_model(tiny_config(GetParam()));
  EXPECT_EQ(model->forward(tiny_tokens(2, 5)).sizes(), (std::vector<int64_t>{2, 5, 11}));
}

TEST_P(EveryKind, FutureTokensNeverChangePastLogits) {
  LanguageModel model = tiny_model(tiny_config(GetParam()));
  const torch::Tensor tokens = tiny_tokens(2, 20);
  torch::Tensor changed = tokens.clone();
  changed.slice(1, 13) = (tokens.slice(1, 13) + 1).remainder(11);
  const torch::Tensor before = model->forward(tokens), after = model->forward(changed);
  EXPECT_TRUE(torch::equal(before.slice(1, 0, 13), after.slice(1, 0, 13)));
  EXPECT_FALSE(torch::equal(before.select(1, 13), after.select(1, 13)));
}

TEST_P(EveryKind, PastTokensReachTheLastLogits) {
  LanguageModel model = tiny_model(tiny_config(GetParam()));
  const torch::Tensor tokens = tiny_tokens(1, 20);
  torch::Tensor changed = tokens.clone();
  changed[0][0] = (tokens[0][0] + 1).remainder(11);
  EXPECT_FALSE(torch::equal(model->forward(tokens).select(1, 19), model->forward(changed).select(1, 19)));
}

TEST_P(EveryKind, GradientReachesEveryParameter) {
  for (const std::string ffn : {"gelu", "swiglu"}) {
    LanguageModelConfig config = tiny_config(GetParam(), "learned", ffn);
    config.tie_embeddings = ffn == "gelu";
    LanguageModel model = tiny_model(config);
    model->loss(tiny_tokens(2, 20), tiny_tokens(2, 20, 3)).backward();
    for (const auto& parameter : model->named_parameters()) {
      // Softmax does not change when one number is added to all of a row's scores, as a key bias does.
      if (GetParam() == "softmax" && parameter.key().ends_with("key.bias")) {
        continue;
      }
      ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
      EXPECT_TRUE(torch::isfinite(parameter.value().grad()).all().item<bool>()) << parameter.key();
      EXPECT_GT(parameter.value().grad().abs().sum().item<double>(), 1e-6) << parameter.key();
    }
  }
}

TEST_P(EveryKind, ADirectionalDerivativeIsTheGradients) {
  LanguageModel model = tiny_model(tiny_config(GetParam()));
  model->to(torch::kFloat64);
  const torch::Tensor tokens = tiny_tokens(2, 9), targets = tiny_tokens(2, 9, 3);
  model->loss(tokens, targets).backward();
  torch::manual_seed(4);
  std::vector<torch::Tensor> directions;
  double expected = 0;
  const torch::NoGradGuard no_gradients;
  for (const auto& parameter : model->parameters()) {
    directions.push_back(torch::randn_like(parameter));
    expected += (directions.back() * parameter.grad()).sum().item<double>();
  }
  // Central difference: an error of h^2 times the third derivative, and epsilon / h of rounding.
  const double h = 1e-6;
  const auto loss_at = [&](double shift) {
    size_t i = 0;
    for (auto& parameter : model->parameters()) {
      parameter.add_(directions[i++], shift);
    }
    return model->loss(tokens, targets).item<double>();
  };
  const double above = loss_at(h), below = loss_at(-2 * h);
  EXPECT_NEAR((above - below) / (2 * h), expected, 1e-6 * std::max(1.0, std::abs(expected)));
}

TEST_P(EveryKind, ANewModelPredictsNearlyUniformly) {
  torch::manual_seed(5);
  LanguageModel model(tiny_config(GetParam()));
  const double loss = model->loss(tiny_tokens(4, 30), tiny_tokens(4, 30, 6)).item<double>();
  EXPECT_NEAR(loss, std::log(11.0), 0.1);
}

TEST_P(EveryKind, DropoutActsInTrainingAlone) {
  for (double LanguageModelConfig::*const probability :
       {&LanguageModelConfig::dropout, &LanguageModelConfig::activation_dropout,
        &LanguageModelConfig::attention_dropout}) {
    if (probability == &LanguageModelConfig::attention_dropout && GetParam() != "softmax") continue;
    LanguageModelConfig config = tiny_config(GetParam());
    config.*probability = 0.5;
    LanguageModel model = tiny_model(config);
    const torch::Tensor tokens = tiny_tokens(1, 8);
    EXPECT_TRUE(torch::equal(model->forward(tokens), model->forward(tokens)));
    model->train();
    EXPECT_FALSE(torch::equal(model->forward(tokens), model->forward(tokens)));
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryKind, ::testing::ValuesIn(kKinds),
                         [](const auto& info) { return info.param; });

TEST(LanguageModel, KindsHaveEqualParameters) {
  const auto shapes = [](const std::string& kind) {
    std::vector<std::pair<std::string, std::vector<int64_t>>> list;
    for (const auto& parameter : LanguageModel(tiny_config(kind))->named_parameters()) {
      list.emplace_back(parameter.key(), parameter.value().sizes().vec());
    }
    return list;
  };
  EXPECT_EQ(shapes("cosformer"), shapes("softmax"));
  EXPECT_EQ(shapes("linear"), shapes("softmax"));
}

TEST(LanguageModel, SeedsGiveEqualModels) {
  const auto weight = [](uint64_t seed) {
    torch::manual_seed(seed);
    return LanguageModel(tiny_config("cosformer"))->parameters().back().clone();
  };
  torch::manual_seed(7);
  LanguageModel first(tiny_config("cosformer"));
  torch::manual_seed(7);
  LanguageModel second(tiny_config("cosformer"));
  for (size_t i = 0; i < first->parameters().size(); ++i) {
    EXPECT_TRUE(torch::equal(first->parameters()[i], second->parameters()[i]));
  }
  EXPECT_TRUE(torch::equal(weight(7), weight(7)));
}

TEST(Loss, IsTheMeanOverTargetsThatCount) {
  LanguageModel model = tiny_model(tiny_config("cosformer"));
  const torch::Tensor tokens = tiny_tokens(2, 6);
  torch::Tensor targets = tiny_tokens(2, 6, 3);
  targets[0][5] = kNoTarget;
  targets[1].slice(0, 2) = kNoTarget;
  const torch::Tensor logarithms = torch::log_softmax(model->forward(tokens), -1);
  double sum = 0;
  int count = 0;
  for (int64_t b = 0; b < 2; ++b) {
    for (int64_t t = 0; t < 6; ++t) {
      if (const int64_t target = targets[b][t].item<int64_t>(); target != kNoTarget) {
        sum -= logarithms[b][t][target].item<double>();
        ++count;
      }
    }
  }
  ASSERT_EQ(count, 7);
  EXPECT_NEAR(model->loss(tokens, targets).item<double>(), sum / count, 1e-5);
}

TEST(LanguageModel, RefusesTokensOfAnotherShapeOrType) {
  LanguageModel model = tiny_model(tiny_config("cosformer"));
  EXPECT_THROW(model->forward(tiny_tokens(1, 4)[0]), ShapeError);
  EXPECT_THROW(model->forward(tiny_tokens(1, 4).to(torch::kInt32)), ShapeError);
  DecoderState state = model->initial_state(1);
  EXPECT_THROW(model->prefill(tiny_tokens(1, 0), state), ShapeError);
}

}  // namespace
}  // namespace cosformer::nn::test
