#include <gtest/gtest.h>

#include "nn/tiny_model.h"

namespace cosformer::nn::test {
namespace {

constexpr int64_t kLength = 19;

/// Attention kind, positions, dtype.
class Decode : public ::testing::TestWithParam<std::tuple<std::string, std::string, torch::ScalarType>> {
 protected:
  Decode()
      : config_(tiny_config(std::get<0>(GetParam()), std::get<1>(GetParam()))),
        model_(tiny_model(config_)),
        tokens_(tiny_tokens(2, kLength)) {
    model_->to(std::get<2>(GetParam()));
    const torch::NoGradGuard no_gradients;
    logits_ = model_->forward(tokens_);
    bound_ = rounding_bound(config_, logits_, kLength);
  }

  /// Logits after the last token of each piece, pieces ending at `ends`.
  void expect_pieces_equal_forward(const std::vector<int64_t>& ends) {
    DecoderState state = model_->initial_state(2);
    for (const int64_t end : ends) {
      const torch::Tensor got = model_->prefill(tokens_.slice(1, state.length, end), state);
      ASSERT_EQ(state.length, end);
      EXPECT_LE(largest_difference(got, logits_.select(1, end - 1)), bound_) << "piece ending at " << end;
    }
  }

  LanguageModelConfig config_;
  LanguageModel model_;
  torch::Tensor tokens_, logits_;
  double bound_ = 0;
};

TEST_P(Decode, StepsEqualForward) {
  DecoderState state = model_->initial_state(2);
  for (int64_t t = 0; t < kLength; ++t) {
    const torch::Tensor got = model_->step(tokens_.select(1, t), state);
    EXPECT_FALSE(got.requires_grad());
    EXPECT_LE(largest_difference(got, logits_.select(1, t)), bound_) << "position " << t;
  }
}

TEST_P(Decode, PrefillEqualsForward) {
  expect_pieces_equal_forward({kLength});
}

TEST_P(Decode, AnyCutEqualsForward) {
  expect_pieces_equal_forward({1, 2, 9, 10, kLength});
  expect_pieces_equal_forward({7, 8, 18, kLength});
}

TEST_P(Decode, StateSizeIsConstantButForSoftmax) {
  DecoderState state = model_->initial_state(2);
  model_->prefill(tokens_.slice(1, 0, 3), state);
  const auto numbers = [&] {
    const AttentionState& layer = state.layers[0];
    return layer.S.defined() ? layer.S.numel() + layer.z.numel() : layer.keys.numel() + layer.values.numel();
  };
  const int64_t before = numbers();
  for (int64_t t = 3; t < kLength; ++t) {
    model_->step(tokens_.select(1, t), state);
  }
  if (config_.attention == "softmax") {
    EXPECT_GT(numbers(), before);
  } else {
    EXPECT_EQ(numbers(), before);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Decode,
                         ::testing::Combine(::testing::ValuesIn(kKinds), ::testing::ValuesIn(kPositions),
                                            ::testing::Values(torch::kFloat32, torch::kFloat64)),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + std::get<1>(info.param) + "_" +
                                  c10::toString(std::get<2>(info.param));
                         });

void expect_position_error(const std::function<void()>& call, const std::string& expected) {
  try {
    call();
    FAIL() << "no error, expected one with: " << expected;
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
  }
}

TEST(Limits, BeyondTheHorizonNamesItAndThePosition) {
  LanguageModel model = tiny_model(tiny_config("cosformer", "sinusoidal"));
  const std::string expected = "position 32 is beyond the horizon M = 32";
  expect_position_error([&] { model->forward(tiny_tokens(1, 33)); }, expected);
  DecoderState state = model->initial_state(1);
  model->prefill(tiny_tokens(1, 32), state);
  const torch::Tensor S = state.layers[1].S.clone();
  expect_position_error([&] { model->step(tiny_tokens(1, 1)[0], state); }, expected);
  EXPECT_EQ(state.length, 32);
  EXPECT_TRUE(torch::equal(state.layers[1].S, S));
}

TEST(Limits, BeyondTheLearnedPositionsNamesThemAndThePosition) {
  LanguageModel model = tiny_model(tiny_config("softmax"));
  expect_position_error([&] { model->forward(tiny_tokens(1, 40)); },
                        "position 39 is beyond the 32 learned positions");
}

TEST(Limits, SinusoidalPositionsWithoutHorizonHaveNone) {
  for (const std::string kind : {"linear", "softmax"}) {
    LanguageModel model = tiny_model(tiny_config(kind, "sinusoidal"));
    EXPECT_EQ(model->forward(tiny_tokens(1, 100)).size(1), 100) << kind;
  }
}

}  // namespace
}  // namespace cosformer::nn::test
