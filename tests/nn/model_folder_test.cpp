#include "cosformer/nn/model_folder.h"

#include <gtest/gtest.h>

#include <set>

#include "io/safetensors.h"
#include "nn/tiny_model.h"

namespace cosformer::nn::test {
namespace {

namespace fs = std::filesystem;

class ModelFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(::testing::TempDir()) / (std::string("cosformer_model_folder_") + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "best");
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// The error of loading `file` into a model, which stays as it was.
  std::string load_error(const fs::path& file) const {
    LanguageModel model = tiny_model(tiny_config("cosformer"), 9);
    const LanguageModel before = tiny_model(tiny_config("cosformer"), 9);
    try {
      load_weights(*model, file);
    } catch (const FormatError& error) {
      expect_equal(model, before);
      return error.what();
    }
    return "no error";
  }

  static void expect_equal(const LanguageModel& a, const LanguageModel& b) {
    const auto left = a->named_parameters(), right = b->named_parameters();
    ASSERT_EQ(left.keys(), right.keys());
    for (const auto& parameter : left) {
      EXPECT_TRUE(torch::equal(parameter.value(), right[parameter.key()])) << parameter.key();
    }
  }

  fs::path folder_;
};

/// What a file of weights holds, to be changed and written again.
struct Stored {
  explicit Stored(const fs::path& path) : file(path), tensors(file.tensors()) {}
  void write(const fs::path& path) const { io::write_safetensors(path, tensors); }

  io::Safetensors file;
  std::vector<io::TensorBytes> tensors;
};

TEST_F(ModelFolder, RoundTripKeepsEveryBit) {
  for (const bool tied : {true, false}) {
    LanguageModelConfig config = tiny_config("cosformer", "learned", "swiglu");
    config.tie_embeddings = tied;
    LanguageModel model = tiny_model(config);
    save_config(config, folder_);
    save_weights(*model, folder_ / "model.safetensors");
    LanguageModel loaded = load_model(folder_, Weights::kLast);
    EXPECT_EQ(loaded->config(), config);
    EXPECT_FALSE(loaded->is_training());
    expect_equal(model, loaded);
    EXPECT_TRUE(torch::equal(model->forward(tiny_tokens(2, 9)), loaded->forward(tiny_tokens(2, 9))));
  }
}

TEST_F(ModelFolder, DoublesRoundTripToo) {
  LanguageModel model = tiny_model(tiny_config("linear")), loaded = tiny_model(tiny_config("linear"), 5);
  model->to(torch::kFloat64);
  loaded->to(torch::kFloat64);
  save_weights(*model, folder_ / "model.safetensors");
  load_weights(*loaded, folder_ / "model.safetensors");
  expect_equal(model, loaded);
}

TEST_F(ModelFolder, LastAndBestAreTwoFiles) {
  const LanguageModelConfig config = tiny_config("softmax");
  LanguageModel last = tiny_model(config, 1), best = tiny_model(config, 2);
  save_config(config, folder_);
  save_weights(*last, weights_path(folder_, Weights::kLast));
  save_weights(*best, weights_path(folder_, Weights::kBest));
  expect_equal(load_model(folder_, Weights::kLast), last);
  expect_equal(load_model(folder_, Weights::kBest), best);
}

TEST_F(ModelFolder, ATiedHeadIsStoredOnce) {
  save_weights(*tiny_model(tiny_config("cosformer")), folder_ / "tied");
  const io::Safetensors stored(folder_ / "tied");
  std::set<std::string> names;
  for (const auto& tensor : stored.tensors()) {
    names.insert(tensor.name);
  }
  EXPECT_EQ(names.size(), 36U);
  EXPECT_TRUE(names.contains("embedding.weight"));
  EXPECT_TRUE(names.contains("blocks.1.attention.query.weight"));
  EXPECT_FALSE(names.contains("head.weight"));
}

TEST_F(ModelFolder, WrongTensorsAreNamed) {
  const fs::path good = folder_ / "good", bad = folder_ / "bad";
  save_weights(*tiny_model(tiny_config("cosformer")), good);
  const auto error_after = [&](auto change) {
    Stored stored(good);
    change(stored.tensors);
    stored.write(bad);
    return load_error(bad);
  };
  const auto find = [](auto& tensors) {
    return std::find_if(tensors.begin(), tensors.end(),
                        [](const auto& tensor) { return tensor.name == "blocks.1.ffn.up.weight"; });
  };
  const std::string prefix = bad.string() + ": ";
  EXPECT_EQ(error_after([&](auto& tensors) { tensors.erase(find(tensors)); }),
            prefix + "blocks.1.ffn.up.weight: expected a tensor, got none");
  EXPECT_EQ(error_after([&](auto& tensors) {
              find(tensors)->shape = {24, 40};
            }),
            prefix + "blocks.1.ffn.up.weight: expected F32 [40, 24], got F32 [24, 40]");
  EXPECT_EQ(error_after([&](auto& tensors) { find(tensors)->dtype = "I32"; }),
            prefix + "blocks.1.ffn.up.weight: expected F32 [40, 24], got I32 [40, 24]");
  EXPECT_EQ(error_after([&](auto& tensors) {
              tensors.push_back(*find(tensors));
              tensors.back().name = "extra";
            }),
            prefix + "extra: the model has no such tensor");
  EXPECT_EQ(error_after([](auto&) {}), "no error");
}

TEST_F(ModelFolder, ATruncatedFileIsRefused) {
  const fs::path file = folder_ / "cut";
  save_weights(*tiny_model(tiny_config("cosformer")), file);
  fs::resize_file(file, fs::file_size(file) - 1);
  EXPECT_NE(load_error(file), "no error");
}

TEST_F(ModelFolder, AConfigLargerThanTheWeightsTakesNoMemory) {
  LanguageModelConfig config = tiny_config("cosformer");
  save_weights(*tiny_model(config), folder_ / "model.safetensors");
  config.layers = 16384;
  config.width = 1 << 20;
  config.heads = 1;
  save_config(config, folder_);
  EXPECT_THROW(load_model(folder_, Weights::kLast), FormatError);
}

TEST_F(ModelFolder, AbsentFilesAreErrorsOfTheSystem) {
  EXPECT_THROW(load_model(folder_, Weights::kLast), IoError);
  save_config(tiny_config("cosformer"), folder_);
  EXPECT_THROW(load_model(folder_, Weights::kBest), IoError);
}

}  // namespace
}  // namespace cosformer::nn::test
