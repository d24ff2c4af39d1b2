#pragma once

#include <optional>
#include <vector>

#include "cosformer/nn/block.h"
#include "cosformer/nn/config.h"
#include "cosformer/nn/module.h"
#include "cosformer/nn/precision.h"
#include "cosformer/nn/sequence_split.h"

namespace cosformer::nn {

/// Targets of this value carry no loss.
inline constexpr int64_t kNoTarget = -100;

/// How a loss is computed.
struct ForwardOptions {
  double label_smoothing = 0;
  Precision precision = Precision::kFloat32;
  /// Of each block, autograd keeps the input alone and computes the rest again in the backward pass: the same
  /// bits, about a third more work, and memory of one block instead of all.
  bool recompute = false;
  /// What the sum of the targets' losses is divided by; none: their number.
  std::optional<int64_t> divisor = {};
  /// Where the tokens are stretches of longer sequences.
  SequenceSplit split = {};
};

/// What decoding has to keep of B sequences that advance in step.
struct DecoderState {
  /// Tokens seen: the position of the next one.
  int64_t length = 0;
  std::vector<AttentionState> layers;
};

/// Decoder language model: embedding and positions, pre-norm blocks, final norm, head.
///
/// Parameters: embedding.weight [vocabulary_size, width], positions.weight [max_length, width] (learned),
/// blocks.<i>.{attention_norm, ffn_norm}.{weight, bias} [width],
/// blocks.<i>.attention.{query, key, value, output}.{weight, bias} [width, width], [width],
/// blocks.<i>.ffn.{gate (swiglu), up, down}.{weight, bias}, norm.{weight, bias},
/// head.weight [vocabulary_size, width] (untied).
///
/// B batch, T length. Tokens are int64 from 0 to vocabulary_size - 1. A position at or beyond the horizon M,
/// or beyond the table of learned positions, throws ShapeError naming the limit and the position; a state is
/// then unchanged. Dropout acts in training mode alone.
class LanguageModelImpl : public torch::nn::Module {
 public:
  /// Draws the initial weights from LibTorch's global generator: torch::manual_seed first gives equal models.
  /// @throws ShapeError as check(config)
  explicit LanguageModelImpl(const LanguageModelConfig& config);

  /// @param tokens [B, T]
  /// @return logits [B, T, vocabulary_size] of the token that follows each
  torch::Tensor forward(const torch::Tensor& tokens);

  /// Mean natural-log loss over the targets other than kNoTarget; NaN if there are none and no divisor is
  /// given. Its gradients have no second derivative.
  /// @param tokens, targets [B, T]; of split sequences this process's stretches
  torch::Tensor loss(const torch::Tensor& tokens, const torch::Tensor& targets,
                     const ForwardOptions& options = {});

  /// The state before the first token, in the weights' dtype.
  DecoderState initial_state(int64_t batch) const;

  /// Reads T >= 1 tokens a sequence at once, from the state on; no gradients.
  /// @param tokens [B, T]
  /// @return logits after the last of them [B, vocabulary_size]
  torch::Tensor prefill(const torch::Tensor& tokens, DecoderState& state);

  /// Reads one token a sequence; no gradients. Work and memory do not depend on state.length, but for
  /// softmax.
  /// @param tokens [B]
  /// @return logits [B, vocabulary_size]
  torch::Tensor step(const torch::Tensor& tokens, DecoderState& state);

  /// @throws ShapeError if one of the positions begin .. begin + count - 1 is beyond a limit
  void check_positions(int64_t begin, int64_t count) const;

  const LanguageModelConfig& config() const { return config_; }
  /// Where its weights are, and so tokens, targets and states: the CPU unless it was moved by to().
  torch::Device device() const;

 private:
  torch::Tensor embed(const torch::Tensor& tokens, int64_t begin);
  /// The input of the head, [B, T, width].
  torch::Tensor hidden(const torch::Tensor& tokens, const SequenceSplit& split = {},
                       bool recompute_blocks = false);
  const torch::Tensor& head_weight() const;

  LanguageModelConfig config_;
  std::shared_ptr<torch::nn::EmbeddingImpl> embedding_, positions_;
  std::shared_ptr<torch::nn::ModuleListImpl> blocks_;
  std::shared_ptr<torch::nn::LayerNormImpl> norm_;
  std::shared_ptr<torch::nn::LinearImpl> head_;
};
TORCH_MODULE(LanguageModel);

}  // namespace cosformer::nn
