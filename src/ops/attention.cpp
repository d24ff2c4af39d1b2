#include "cosformer/ops/attention.h"

#include "ops/signatures.h"

namespace cosformer::ops {

Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, OptionalInt horizon,
                 bool causal, std::string_view feature_map, double eps) {
  static const auto op = find_operator<signature::Attention>("cosformer::attention");
  return op.call(query, key, value, horizon, causal, std::nullopt, std::nullopt, std::nullopt, feature_map,
                 true, eps);
}

FourTensors attention_stateful(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& S,
                               const Tensor& z, const Tensor& position, OptionalInt horizon,
                               std::string_view feature_map, double eps) {
  static const auto op = find_operator<signature::AttentionStateful>("cosformer::attention_stateful");
  return op.call(query, key, value, S, z, position, horizon, std::nullopt, std::nullopt, feature_map, true,
                 eps);
}

Tensor attention_step_(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& S,
                       const Tensor& z, const Tensor& position, OptionalInt horizon,
                       std::string_view feature_map, double eps) {
  static const auto op = find_operator<signature::AttentionStep>("cosformer::attention_step_");
  return op.call(query, key, value, S, z, position, horizon, std::nullopt, feature_map, true, eps);
}

}  // namespace cosformer::ops
