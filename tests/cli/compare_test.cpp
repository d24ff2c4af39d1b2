#include "cli/bench/compare.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "cosformer/error.h"
#include "cosformer/nn/model_folder.h"

namespace cosformer::cli {
namespace {

TEST(CompareReport, ResultsAreWhatOtherProgramsRead) {
  const ModelReport model = {"cosformer", 1.75, 12345.6, 98'000'000, {{512, 0.5}, {4096, 4.25}}, "x\ny"};
  EXPECT_EQ(compare_json({model}),
            nlohmann::json::parse(R"([{"model": "cosformer", "valid_bits_per_byte": 1.75,
      "train_tokens_per_second": 12345.6, "peak_bytes": 98000000, "forward_milliseconds": {"512": 0.5, "4096": 4.25}}])"));
}

TEST(CompareReport, TableBeginsWithNameAndBitsAndEndsWithIndentedSamples) {
  const ModelReport model = {"cosformer", 1.75, 12345.6, 98'000'000, {{512, 0.5}}, "x\n\ny\x1b[31m"};
  EXPECT_EQ(compare_table({model}, "The "),
            "model      valid bits/byte  train tokens/s  peak memory  T = 512\n"
            "cosformer           1.7500          12,346        98 MB  0.50 ms\n"
            "\nT = n: one attention layer of the model's width over n tokens, forward, random weights\n"
            "\ncosformer continues \"The \":\n\n"
            "    The x\n    y\xEF\xBF\xBD[31m\n");
}

TEST(CompareReport, ChartHasALineAModel) {
  const std::string svg = compare_time_chart(
      {{"a", 1, 1, 1, {{512, 1.0}, {1024, 2.0}}, ""}, {"b", 1, 1, 1, {{512, 3.0}}, ""}}, "");
  EXPECT_NE(svg.find("<title>a</title>"), std::string::npos);
  EXPECT_NE(svg.find("<title>b</title>"), std::string::npos);
}

/// A folder with the files of a finished run of a tiny model.
class Compare : public testing::Test {
 protected:
  std::string run(const std::string& attention, const std::string& metrics, const std::string& machine) {
    const auto folder = runs_ / attention;
    std::filesystem::create_directories(folder / "best");
    nn::LanguageModelConfig config;
    config.layers = 1;
    config.width = 8;
    config.heads = 2;
    config.ffn_width = 8;
    config.max_length = 32;
    config.attention = attention;
    if (attention == "cosformer") config.horizon = 16;
    nn::LanguageModel model(config);
    nn::save_config(config, folder);
    nn::save_weights(*model, nn::weights_path(folder, nn::Weights::kBest));
    std::ofstream(folder / "metrics.jsonl") << metrics;
    std::ofstream(folder / "run.json") << machine;
    return folder.string();
  }
  void TearDown() override { std::filesystem::remove_all(runs_); }

  // Tests run side by side: each has a folder of its own.
  const std::filesystem::path runs_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("cosformer_compare_") + testing::UnitTest::GetInstance()->current_test_info()->name());

  const std::string metrics_ =
      "{\"step\": 1, \"split\": \"train\", \"loss\": 5, \"tokens_per_second\": 100}\n"
      "{\"step\": 2, \"split\": \"train\", \"loss\": 4, \"tokens_per_second\": 300}\n"
      "{\"step\": 3, \"split\": \"train\", \"loss\": 4, \"tokens_per_second\": 200}\n"
      "{\"step\": 1, \"split\": \"valid\", \"loss\": 4}\n"
      "{\"step\": 2, \"split\": \"valid\", \"loss\": 2}\n"
      "{\"step\": 3, \"split\": \"valid\", \"loss\": 3}\n";
};

TEST_F(Compare, ReadsRunsAndMeasuresTheirAttention) {
  CompareOptions options;
  options.runs = {run("cosformer", metrics_, "{\"peak_bytes\": 1000}"),
                  run("softmax", metrics_, "{\"peak_bytes\": 2000}")};
  options.lengths = {8, 64};
  const std::vector<ModelReport> models = compare(options);
  ASSERT_EQ(models.size(), 2U);
  EXPECT_EQ(models[0].model, "cosformer");
  EXPECT_EQ(models[1].peak_bytes, 2000);
  for (const ModelReport& m : models) {
    EXPECT_DOUBLE_EQ(m.valid_bits_per_byte, 2 / std::log(2.0)) << "the lowest validation loss, in bits";
    EXPECT_EQ(m.train_tokens_per_second, 200) << "the median";
    ASSERT_EQ(m.forward_milliseconds.size(), 2U);
    EXPECT_GT(m.forward_milliseconds.at(64), 0) << "longer than the model's own horizon";
  }
  EXPECT_EQ(models[0].sample.size(), 12U) << "a prompt of 4 bytes and the horizon of 16 leave 12";
  EXPECT_EQ(models[1].sample.size(), 28U);
}

TEST_F(Compare, NamesWhatARunLacks) {
  CompareOptions options;
  options.runs = {run("softmax", metrics_, "{}")};
  EXPECT_THROW(compare(options), FormatError);
  options.runs = {
      run("softmax", "{\"step\": 1, \"split\": \"valid\", \"loss\": 4}\n", "{\"peak_bytes\": 1}")};
  EXPECT_THROW(compare(options), FormatError);
  options.runs = {"/nonexistent"};
  EXPECT_THROW(compare(options), IoError);
}

}  // namespace
}  // namespace cosformer::cli
