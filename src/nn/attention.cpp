#include "cosformer/nn/attention.h"

#include <algorithm>
#include <cmath>

#include "cosformer/nn/config.h"
#include "cosformer/ops/attention.h"
#include "nn/initial_weights.h"
#include "nn/inspection.h"
#include "nn/split_attention.h"

namespace cosformer::nn {
namespace {

void check(const AttentionOptions& options) {
  LanguageModelConfig config;
  config.width = options.width;
  config.heads = options.heads;
  config.attention = options.kind;
  config.horizon = options.horizon;
  check(config, "attention: ");
}

/// relu is the operator's own; elu + 1 comes ready, for it to take as it is.
const char* feature_map(const std::string& kind) {
  return kind == "linear" ? "identity" : "relu";
}

/// Rows length .. length + rows.size(1) - 1 of the cache become `rows`; a full cache is copied into one of
/// twice the size, so that appending costs the same a token on average.
void append(torch::Tensor& cache, const torch::Tensor& rows, int64_t length) {
  const int64_t needed = length + rows.size(1);
  if (cache.size(1) < needed) {
    auto sizes = cache.sizes().vec();
    sizes[1] = std::max(2 * cache.size(1), needed);
    torch::Tensor larger = torch::empty(sizes, cache.options());
    larger.narrow(1, 0, length).copy_(cache.narrow(1, 0, length));
    cache = larger;
  }
  cache.narrow(1, length, rows.size(1)).copy_(rows);
}

}  // namespace

MultiHeadAttentionImpl::MultiHeadAttentionImpl(const AttentionOptions& options) : options_(options) {
  check(options);
  const int64_t width = options.width;
  // relu attention does not depend on the size of queries and keys, but its gradient grows as 1 / size: unit
  // queries and keys keep it bounded and the denominator far above eps. For softmax they give scores of unit
  // size.
  const double unit = 1 / std::sqrt(static_cast<double>(width));
  query_ = register_module("query", normal_linear(width, width, unit));
  key_ = register_module("key", normal_linear(width, width, unit));
  value_ = register_module("value", normal_linear(width, width, kDeviation));
  output_ = register_module("output", normal_linear(width, width, kDeviation * options.residual_scale));
}

torch::Tensor MultiHeadAttentionImpl::split_heads(const torch::Tensor& projected) const {
  return projected.view(
      {projected.size(0), projected.size(1), options_.heads, options_.width / options_.heads});
}

torch::Tensor MultiHeadAttentionImpl::features(const torch::Tensor& projected) const {
  return split_heads(options_.kind == "linear" ? at::elu(projected) + 1 : projected);
}

torch::Tensor MultiHeadAttentionImpl::forward(const torch::Tensor& x, const SequenceSplit& split) {
  const InspectedPart part("attention");
  const torch::Tensor q = features(inspected("query", query_->forward(x)));
  const torch::Tensor k = features(inspected("key", key_->forward(x)));
  const torch::Tensor v = split_heads(inspected("value", value_->forward(x)));
  torch::Tensor mixed;
  if (options_.kind == "softmax") {
    if (split.is_split()) throw ShapeError("attention: softmax has no state by which sequences can be split");
    mixed = at::scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2),
                                             std::nullopt, is_training() ? options_.dropout : 0.0, true)
                .transpose(1, 2);
  } else if (split.is_split()) {
    mixed = split_attention(q, k, v, options_.horizon, {.feature_map = feature_map(options_.kind)}, split);
  } else {
    mixed = ops::attention(q, k, v, options_.horizon, true, {.feature_map = feature_map(options_.kind)});
  }
  return inspected("output", output_->forward(inspected("", mixed.reshape(x.sizes()))));
}

AttentionState MultiHeadAttentionImpl::initial_state(int64_t batch) const {
  const auto weights = query_->weight.options().requires_grad(false);
  const int64_t heads = options_.heads, head_width = options_.width / heads;
  AttentionState state;
  if (options_.kind == "softmax") {
    state.keys = state.values = torch::empty({batch, 0, heads, head_width}, weights);
  } else {
    const int64_t states = options_.horizon ? 2 : 1;
    const auto sums = weights.dtype(weights.dtype() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32);
    state.S = torch::zeros({batch, heads, states, head_width, head_width}, sums);
    state.z = torch::zeros({batch, heads, states, head_width}, sums);
    state.position = torch::zeros({batch}, weights.dtype(torch::kInt64));
  }
  return state;
}

torch::Tensor MultiHeadAttentionImpl::softmax_advance(const torch::Tensor& q, const torch::Tensor& k,
                                                      const torch::Tensor& v, AttentionState& state) {
  const int64_t seen = state.length, count = q.size(1);
  append(state.keys, k, seen);
  append(state.values, v, seen);
  std::optional<torch::Tensor> visible;
  if (seen > 0 && count > 1) {
    visible = torch::ones({count, seen + count}, q.options().dtype(torch::kBool)).tril(seen);
  }
  return at::scaled_dot_product_attention(
             q.transpose(1, 2), state.keys.narrow(1, 0, seen + count).transpose(1, 2),
             state.values.narrow(1, 0, seen + count).transpose(1, 2), visible, 0.0, seen == 0)
      .transpose(1, 2);
}

torch::Tensor MultiHeadAttentionImpl::advance(const torch::Tensor& x, AttentionState& state) {
  const torch::NoGradGuard no_gradients;
  const torch::Tensor q = features(query_->forward(x)), k = features(key_->forward(x)),
                      v = split_heads(value_->forward(x));
  torch::Tensor mixed;
  if (options_.kind == "softmax") {
    mixed = softmax_advance(q, k, v, state);
  } else if (x.size(1) == 1) {
    mixed = ops::attention_step_(q, k, v, state.S, state.z, state.position, options_.horizon,
                                 {.feature_map = feature_map(options_.kind)});
  } else {
    std::tie(mixed, state.S, state.z, state.position) =
        ops::attention_stateful(q, k, v, state.S, state.z, state.position, options_.horizon,
                                {.feature_map = feature_map(options_.kind)});
  }
  state.length += x.size(1);
  return output_->forward(mixed.reshape(x.sizes()));
}

}  // namespace cosformer::nn
