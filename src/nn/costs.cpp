#include "cosformer/nn/costs.h"

namespace cosformer::nn {
namespace {

int64_t ffn_matrices(const LanguageModelConfig& config) {
  return config.ffn == "swiglu" ? 3 : 2;
}

/// H N K (K + 1): the numbers in S and z of one layer.
int64_t state_size(const LanguageModelConfig& config) {
  const int64_t states = config.horizon ? 2 : 1, head_width = config.width / config.heads;
  return config.heads * states * head_width * (head_width + 1);
}

}  // namespace

ParameterCounts parameters(const LanguageModelConfig& config) {
  const int64_t w = config.width, f = config.ffn_width, n = config.layers, v = config.vocabulary_size;
  const int64_t inner = ffn_matrices(config) - 1;
  return {
      .embedding = v * w,
      .positions = config.positions == "learned" ? config.max_length * w : 0,
      .projections = n * (4 * w * w + 4 * w),
      .ffn = n * (inner * (w * f + f) + f * w + w),
      .norms = 2 * w * (2 * n + 1),
      .head = config.tie_embeddings ? 0 : v * w,
  };
}

Operations forward_operations(const LanguageModelConfig& config, int64_t length) {
  const double w = static_cast<double>(config.width), f = static_cast<double>(config.ffn_width);
  const double n = static_cast<double>(config.layers), v = static_cast<double>(config.vocabulary_size);
  const double attention = config.attention == "softmax" ? 2 * w * static_cast<double>(length + 1)
                                                         : 4 * static_cast<double>(state_size(config));
  return {
      .projections = 8 * n * w * w,
      .attention = n * attention,
      .ffn = 2 * n * static_cast<double>(ffn_matrices(config)) * w * f,
      .head = 2 * v * w,
  };
}

Operations training_operations(const LanguageModelConfig& config, int64_t length) {
  const Operations forward = forward_operations(config, length);
  return {
      .projections = 3 * forward.projections,
      .attention = 3.5 * forward.attention,
      .ffn = 3 * forward.ffn,
      .head = 3 * forward.head,
  };
}

int64_t decoder_state_bytes(const LanguageModelConfig& config, int64_t length) {
  const int64_t layer = config.attention == "softmax" ? 2 * config.width * length : state_size(config);
  return 4 * config.layers * layer;
}

}  // namespace cosformer::nn
