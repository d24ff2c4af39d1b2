#pragma once

#include <optional>
#include <string>

#include "cosformer/error.h"
#include "cosformer/nn/module.h"
#include "cosformer/nn/sequence_split.h"

namespace cosformer::nn {

struct AttentionOptions {
  int64_t width;
  int64_t heads;
  /// "cosformer", "linear" or "softmax", as in LanguageModelConfig.
  std::string kind = "cosformer";
  /// M; "cosformer" only.
  std::optional<int64_t> horizon;
  /// Factor on the initial output projection: 1 / sqrt(2 layers) keeps a deep residual stream at unit size.
  double residual_scale = 1;
  /// Probability of a weight's being dropped in training; "softmax" only.
  double dropout = 0;
};

/// What attention has to keep of the tokens it has seen, for B sequences in step.
struct AttentionState {
  /// Tokens seen.
  int64_t length = 0;
  /// cosformer, linear: S [B, H, N, K, V], z [B, H, N, K], position int64 [B]; a size that does not grow.
  torch::Tensor S, z, position;
  /// softmax: [B, capacity, H, K] and [B, capacity, H, V], of which `length` rows are in use. The capacity
  /// doubles.
  torch::Tensor keys, values;
};

/// Causal multi-head self-attention; query, key, value and output projections with bias. Each kind has the
/// same parameters, so that weights of one kind fit another.
class MultiHeadAttentionImpl : public torch::nn::Module {
 public:
  /// Draws the initial weights from LibTorch's global generator.
  /// @throws ShapeError if kind is unknown, heads does not divide width, or a horizon is given to another
  /// kind than cosformer
  explicit MultiHeadAttentionImpl(const AttentionOptions& options);

  /// @param x [B, T, width], T <= M; of a split sequence this process's stretch
  /// @return [B, T, width]. Work O(T) but for softmax, O(T^2).
  /// @throws ShapeError for a split sequence and softmax
  torch::Tensor forward(const torch::Tensor& x, const SequenceSplit& split = {});

  /// The state before the first token, in the weights' dtype; S and z in float32 (float64 beside float64).
  AttentionState initial_state(int64_t batch) const;

  /// Continues from `state` over T >= 1 tokens and advances it; no gradients. One token costs the same
  /// whatever the length, but for softmax, which reads its whole cache.
  /// @param x [B, T, width]
  /// @return [B, T, width]
  torch::Tensor advance(const torch::Tensor& x, AttentionState& state);

 private:
  torch::Tensor split_heads(const torch::Tensor& projected) const;
  torch::Tensor features(const torch::Tensor& projected) const;
  torch::Tensor softmax_advance(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                AttentionState& state);

  AttentionOptions options_;
  std::shared_ptr<torch::nn::LinearImpl> query_, key_, value_, output_;
};
TORCH_MODULE(MultiHeadAttention);

}  // namespace cosformer::nn
