#include "cosformer/nn/config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cosformer/nn/language_model.h"

namespace cosformer::nn::test {
namespace {

/// The error of the default config's JSON with one key changed.
std::string error_of(const std::string& key, const nlohmann::json& value) {
  auto json = nlohmann::json::parse(to_json(LanguageModelConfig{}));
  json[key] = value;
  try {
    config_from_json(json.dump(), "config.json");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Config, JsonRoundTrip) {
  LanguageModelConfig config;
  EXPECT_EQ(config_from_json(to_json(config), "config.json"), config);
  config = {.vocabulary_size = 33278,
            .layers = 3,
            .width = 48,
            .heads = 6,
            .ffn_width = 7,
            .attention = "cosformer",
            .horizon = 4096,
            .ffn = "swiglu",
            .positions = "sinusoidal",
            .max_length = 9,
            .dropout = 0.1,
            .activation_dropout = 0.2,
            .tie_embeddings = false};
  EXPECT_EQ(config_from_json(to_json(config), "config.json"), config);
}

TEST(Config, KeysThatEarlierVersionsDidNotWriteMayBeAbsent) {
  auto json = nlohmann::json::parse(to_json(LanguageModelConfig{}));
  EXPECT_EQ(json.erase("activation_dropout") + json.erase("attention_dropout"), 2U);
  EXPECT_EQ(config_from_json(json.dump(), "config.json"), LanguageModelConfig{});
}

TEST(Config, WrongValuesAreNamed) {
  EXPECT_EQ(error_of("width", "wide"), "config.json: width: expected an integer, got \"wide\"");
  EXPECT_EQ(error_of("width", 12.5), "config.json: width: expected an integer, got 12.5");
  EXPECT_EQ(error_of("layers", 0), "config.json: layers: expected an integer from 1 to 16384, got 0");
  EXPECT_EQ(error_of("layers", UINT64_MAX),
            "config.json: layers: expected an integer, got 18446744073709551615");
  EXPECT_EQ(error_of("heads", 3), "config.json: heads: expected a divisor of width 256, got 3");
  EXPECT_EQ(error_of("heads", 0), "config.json: heads: expected a divisor of width 256, got 0");
  EXPECT_EQ(error_of("attention", "flash"),
            "config.json: attention: expected cosformer | linear | softmax, got \"flash\"");
  EXPECT_EQ(error_of("horizon", -3), "config.json: horizon: expected an integer >= 1 or \"none\", got -3");
  EXPECT_EQ(error_of("horizon", nullptr),
            "config.json: horizon: expected an integer >= 1 or \"none\", got null");
  EXPECT_EQ(error_of("ffn", "relu"), "config.json: ffn: expected gelu | swiglu, got \"relu\"");
  EXPECT_EQ(error_of("positions", 1), "config.json: positions: expected a string, got 1");
  EXPECT_EQ(error_of("dropout", 1), "config.json: dropout: expected a number in [0, 1), got 1");
  EXPECT_EQ(error_of("activation_dropout", -0.1),
            "config.json: activation_dropout: expected a number in [0, 1), got -0.1");
  EXPECT_EQ(error_of("attention_dropout", 1),
            "config.json: attention_dropout: expected a number in [0, 1), got 1");
  EXPECT_EQ(error_of("attention_dropout", 0.5),
            "config.json: attention_dropout: expected 0 where attention is cosformer, which forms no "
            "weights, got 0.5");
  EXPECT_EQ(error_of("tie_embeddings", 1), "config.json: tie_embeddings: expected true or false, got 1");
  EXPECT_EQ(error_of("widht", 1), "config.json: unknown key \"widht\"");
}

TEST(Config, EveryOtherKeyIsRequired) {
  auto whole = nlohmann::json::parse(to_json(LanguageModelConfig{}));
  for (const char* key : {"activation_dropout", "attention_dropout"}) whole.erase(key);
  EXPECT_EQ(whole.size(), 12U);
  for (const auto& [key, value] : whole.items()) {
    auto json = whole;
    json.erase(key);
    EXPECT_THROW(config_from_json(json.dump(), "config.json"), FormatError) << key;
  }
}

TEST(Config, TextThatIsNoObjectIsRefused) {
  for (const char* text : {"", "{", "[]", "{} {}", "\xff"}) {
    EXPECT_THROW(config_from_json(text, "config.json"), FormatError) << text;
  }
}

TEST(Config, AHorizonIsCosformersAlone) {
  LanguageModelConfig config;
  config.attention = "linear";
  config.horizon = 8;
  EXPECT_THROW(check(config), ShapeError);
  EXPECT_THROW(LanguageModel{config}, ShapeError);
  config.attention = "cosformer";
  EXPECT_NO_THROW(check(config));
}

TEST(Config, SinusoidalPositionsNeedAnEvenWidth) {
  LanguageModelConfig config;
  config.width = config.heads = 5;
  EXPECT_NO_THROW(check(config));
  config.positions = "sinusoidal";
  EXPECT_THROW(check(config), ShapeError);
}

}  // namespace
}  // namespace cosformer::nn::test
