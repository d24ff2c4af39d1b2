#include "cosformer/nn/block.h"

#include <torch/nn/modules/normalization.h>

#include <cmath>

#include "nn/initial_weights.h"
#include "nn/inspection.h"

namespace cosformer::nn {
namespace {

std::shared_ptr<torch::nn::LayerNormImpl> layer_norm(int64_t width) {
  return std::make_shared<torch::nn::LayerNormImpl>(torch::nn::LayerNormOptions({width}));
}

}  // namespace

FeedForwardImpl::FeedForwardImpl(const FeedForwardOptions& options) : dropout_(options.dropout) {
  const int64_t w = options.width, f = options.ffn_width;
  if (options.gated) gate_ = register_module("gate", normal_linear(w, f, kDeviation));
  up_ = register_module("up", normal_linear(w, f, kDeviation));
  down_ = register_module("down", normal_linear(f, w, kDeviation * options.residual_scale));
}

torch::Tensor FeedForwardImpl::forward(const torch::Tensor& x) {
  const InspectedPart part("ffn");
  const torch::Tensor gate = gate_ ? at::silu(inspected("gate", gate_->forward(x))) : torch::Tensor();
  const torch::Tensor up = inspected("up", up_->forward(x));
  return inspected("down", down_->forward(at::dropout(inspected("", gate_ ? gate * up : at::gelu(up)),
                                                      dropout_, is_training())));
}

BlockImpl::BlockImpl(const LanguageModelConfig& config) : dropout_(config.dropout) {
  // 2 * layers terms add up in the residual stream.
  const double residual_scale = 1 / std::sqrt(2.0 * static_cast<double>(config.layers));
  attention_norm_ = register_module("attention_norm", layer_norm(config.width));
  attention_ = register_module("attention", MultiHeadAttention(AttentionOptions{
                                                .width = config.width,
                                                .heads = config.heads,
                                                .kind = config.attention,
                                                .horizon = config.horizon,
                                                .residual_scale = residual_scale,
                                                .dropout = config.attention_dropout,
                                            }));
  ffn_norm_ = register_module("ffn_norm", layer_norm(config.width));
  ffn_ = register_module("ffn", FeedForward(FeedForwardOptions{
                                    .width = config.width,
                                    .ffn_width = config.ffn_width,
                                    .gated = config.ffn == "swiglu",
                                    .residual_scale = residual_scale,
                                    .dropout = config.activation_dropout,
                                }));
}

torch::Tensor BlockImpl::add_ffn(const torch::Tensor& x) {
  const torch::Tensor ffn = ffn_(inspected("ffn_norm", ffn_norm_->forward(x)));
  return inspected("", x + at::dropout(ffn, dropout_, is_training()));
}

torch::Tensor BlockImpl::forward(const torch::Tensor& x, const SequenceSplit& split) {
  // A statement of its own: what attention read is free before the feed-forward layers begin.
  const torch::Tensor y =
      x + at::dropout(attention_(inspected("attention_norm", attention_norm_->forward(x)), split), dropout_,
                      is_training());
  return add_ffn(y);
}

torch::Tensor BlockImpl::advance(const torch::Tensor& x, AttentionState& state) {
  const torch::NoGradGuard no_gradients;
  return add_ffn(
      x + at::dropout(attention_->advance(attention_norm_->forward(x), state), dropout_, is_training()));
}

}  // namespace cosformer::nn
