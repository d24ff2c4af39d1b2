#include "cosformer/nn/costs.h"

#include <gtest/gtest.h>

#include "nn/tiny_model.h"

namespace cosformer::nn::test {
namespace {

TEST(Costs, ParametersAreThoseOfTheModule) {
  for (const std::string& kind : kKinds) {
    for (const std::string& positions : kPositions) {
      for (const std::string ffn : {"gelu", "swiglu"}) {
        for (const bool tied : {true, false}) {
          LanguageModelConfig config = tiny_config(kind, positions, ffn);
          config.tie_embeddings = tied;
          int64_t total = 0, tables = 0;
          for (const auto& parameter : LanguageModel(config)->named_parameters()) {
            total += parameter.value().numel();
            const std::string& name = parameter.key();
            tables += name == "embedding.weight" || name == "positions.weight" || name == "head.weight"
                          ? parameter.value().numel()
                          : 0;
          }
          EXPECT_EQ(parameters(config).total(), total) << to_json(config);
          EXPECT_EQ(parameters(config).non_embedding(), total - tables) << to_json(config);
        }
      }
    }
  }
}

TEST(Costs, DecoderStateIsTheStatesBytes) {
  for (const std::string& kind : kKinds) {
    const LanguageModelConfig config = tiny_config(kind);
    LanguageModel model = tiny_model(config);
    DecoderState state = model->initial_state(1);
    model->prefill(tiny_tokens(1, 7), state);
    size_t bytes = 0;
    for (const AttentionState& layer : state.layers) {
      for (const torch::Tensor& tensor : {layer.S, layer.z, layer.keys, layer.values}) {
        bytes += tensor.defined() ? tensor.nbytes() : 0;
      }
    }
    EXPECT_EQ(decoder_state_bytes(config, 7), static_cast<int64_t>(bytes)) << kind;
  }
}

TEST(Costs, AttentionGrowsWithLengthForSoftmaxAlone) {
  // By hand: 2 layers, 3 heads of 8; cosformer 2 * 3 * 4 * 2 * 8 * 9, linear half, softmax 2 * 2 * 24 * (L +
  // 1).
  for (const int64_t length : {16, 1024}) {
    EXPECT_EQ(forward_operations(tiny_config("cosformer"), length).attention, 3456);
    EXPECT_EQ(forward_operations(tiny_config("linear"), length).attention, 1728);
    EXPECT_EQ(forward_operations(tiny_config("softmax"), length).attention,
              96 * static_cast<double>(length + 1));
  }
}

TEST(Costs, MatricesTakeTwoOperationsAWeight) {
  for (const std::string ffn : {"gelu", "swiglu"}) {
    const LanguageModelConfig config = tiny_config("cosformer", "learned", ffn);
    double matrices = 0;
    for (const auto& parameter : LanguageModel(config)->named_parameters()) {
      if (parameter.value().dim() == 2 && parameter.key() != "positions.weight") {
        matrices += static_cast<double>(parameter.value().numel());
      }
    }
    const Operations forward = forward_operations(config, 16), training = training_operations(config, 16);
    EXPECT_EQ(forward.total() - forward.attention, 2 * matrices);
    EXPECT_EQ(training.total() - training.attention, 6 * matrices);
  }
}

TEST(Costs, TrainingMemoryGrowsWithTokens) {
  const LanguageModelConfig config = tiny_config("cosformer");
  const TrainingMemory one = training_memory(config, {1, 8}), four = training_memory(config, {4, 8});
  EXPECT_EQ(one.weights, 4 * parameters(config).total());
  EXPECT_EQ(one.weights + one.gradients + one.moments, 16 * parameters(config).total());
  // A token: 2 layers of 8 * 24 + 4 + 3 + 2 * 40 numbers, and the final norm's input.
  EXPECT_EQ(one.activations, 4 * 8 * (2 * 279 + 24));
  EXPECT_EQ(four.activations, 4 * one.activations);
  EXPECT_GT(one.peak, one.weights + one.moments + one.activations);
}

TEST(Costs, LogitsTakeNoMoreThanAChunk) {
  LanguageModelConfig config = tiny_config("cosformer");
  config.vocabulary_size = 1 << 15;
  const int64_t one = training_memory(config, {16, 512}).peak, two = training_memory(config, {32, 512}).peak;
  EXPECT_LT(two - one, 4 * 16 * 512 * (2 * 279 + 500)) << "nothing of a vocabulary's size";
}

}  // namespace
}  // namespace cosformer::nn::test
