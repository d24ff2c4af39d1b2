#pragma once

#include "cosformer/nn/attention.h"
#include "cosformer/nn/config.h"
#include "cosformer/nn/module.h"

namespace cosformer::nn {

struct FeedForwardOptions {
  int64_t width;
  int64_t ffn_width;
  bool gated = false;
  /// Factor on the initial down projection, as AttentionOptions::residual_scale.
  double residual_scale = 1;
  /// Probability, of what goes into down.
  double dropout = 0;
};

/// Position-wise layers, with bias: gelu has up and down, swiglu has gate, up and down.
class FeedForwardImpl : public torch::nn::Module {
 public:
  explicit FeedForwardImpl(const FeedForwardOptions& options);

  /// @param x [..., width]
  /// @return [..., width]
  torch::Tensor forward(const torch::Tensor& x);

 private:
  double dropout_;
  std::shared_ptr<torch::nn::LinearImpl> gate_, up_, down_;
};
TORCH_MODULE(FeedForward);

/// Pre-norm residual block: x += attention(norm(x)); x += ffn(norm(x)).
class BlockImpl : public torch::nn::Module {
 public:
  explicit BlockImpl(const LanguageModelConfig& config);

  /// @param x [B, T, width]; of a split sequence this process's stretch
  /// @return [B, T, width]
  torch::Tensor forward(const torch::Tensor& x, const SequenceSplit& split = {});

  AttentionState initial_state(int64_t batch) const { return attention_->initial_state(batch); }
  /// As MultiHeadAttentionImpl::advance.
  torch::Tensor advance(const torch::Tensor& x, AttentionState& state);

 private:
  torch::Tensor add_ffn(const torch::Tensor& x);

  double dropout_;
  std::shared_ptr<torch::nn::LayerNormImpl> attention_norm_, ffn_norm_;
  MultiHeadAttention attention_ = nullptr;
  FeedForward ffn_ = nullptr;
};
TORCH_MODULE(Block);

}  // namespace cosformer::nn
