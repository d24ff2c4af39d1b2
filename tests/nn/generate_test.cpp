#include "cosformer/nn/generate.h"

#include <gtest/gtest.h>

#include "nn/tiny_model.h"

namespace cosformer::nn::test {
namespace {

const std::vector<int64_t> kPrompt = {1, 5, 2};

TEST(Generate, GreedyTakesForwardsLargestLogit) {
  for (const std::string& kind : kKinds) {
    LanguageModel model = tiny_model(tiny_config(kind));
    const auto text = generate(model, kPrompt, {.tokens = 20, .sampling = {.temperature = 0}});
    ASSERT_EQ(text.size(), 20U);
    std::vector<int64_t> all = kPrompt;
    for (const int64_t token : text) {
      const torch::Tensor logits = model->forward(torch::tensor(all).unsqueeze(0)).select(1, -1);
      EXPECT_EQ(token, logits.argmax().item<int64_t>()) << kind << " after " << all.size();
      all.push_back(token);
    }
  }
}

TEST(Generate, SameSeedSameText) {
  LanguageModel model = tiny_model(tiny_config("cosformer"));
  const auto first = generate(model, kPrompt, {.tokens = 25, .seed = 8});
  EXPECT_EQ(first, generate(model, kPrompt, {.tokens = 25, .seed = 8}));
  EXPECT_NE(first, generate(model, kPrompt, {.tokens = 25, .seed = 9}));
}

TEST(Generate, CallsBackForEachTokenUntilToldToStop) {
  LanguageModel model = tiny_model(tiny_config("cosformer"));
  std::vector<int64_t> seen;
  const auto text = generate(model, kPrompt, {.tokens = 10}, [&](int64_t token) {
    seen.push_back(token);
    return seen.size() < 4;
  });
  EXPECT_EQ(seen.size(), 4U);
  EXPECT_EQ(text, seen);
}

TEST(Generate, LeavesTheModeAsItWas) {
  LanguageModelConfig config = tiny_config("cosformer");
  config.dropout = 0.5;
  LanguageModel model = tiny_model(config);
  const auto expected = generate(model, kPrompt, {.tokens = 10});
  model->train();
  EXPECT_EQ(generate(model, kPrompt, {.tokens = 10}), expected);
  EXPECT_TRUE(model->is_training());
}

TEST(Generate, StopsAtTheHorizonBeforeAnyWork) {
  LanguageModel model = tiny_model(tiny_config("cosformer"));
  // 3 + 30 - 1 positions are read: 0 to 31.
  EXPECT_EQ(generate(model, kPrompt, {.tokens = 30}).size(), 30U);
  int calls = 0;
  try {
    generate(model, kPrompt, {.tokens = 31}, [&](int64_t) { return ++calls > 0; });
    FAIL() << "no error";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(),
                 "language model: position 32 is beyond the horizon M = 32 (positions 0 to M - 1)");
  }
  EXPECT_EQ(calls, 0);
}

TEST(Generate, RefusesBadPrompts) {
  LanguageModel model = tiny_model(tiny_config("cosformer"));
  EXPECT_THROW(generate(model, {}, {.tokens = 1}), ShapeError);
  EXPECT_THROW(generate(model, std::vector<int64_t>{11}, {.tokens = 1}), ShapeError);
  EXPECT_THROW(generate(model, std::vector<int64_t>{-1}, {.tokens = 1}), ShapeError);
  EXPECT_THROW(generate(model, kPrompt, {.tokens = -1}), ShapeError);
  EXPECT_TRUE(generate(model, kPrompt, {.tokens = 0}).empty());
}

}  // namespace
}  // namespace cosformer::nn::test
