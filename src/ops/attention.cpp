#include "cosformer/ops/attention.h"

#include "ops/operators.h"

namespace cosformer::ops {
namespace {

/// The arguments that most operators share.
template <class Options>
Call make_call(OptionalInt horizon, const Options& options) {
  Call call;
  call.horizon = horizon;
  call.feature_map = options.feature_map;
  if constexpr (requires { options.padding_mask; }) call.key_padding_mask = options.padding_mask;
  if constexpr (requires { options.decay; }) call.decay = options.decay;
  if constexpr (requires { options.normalize; }) {
    call.normalize = options.normalize;
    call.eps = options.eps;
  }
  return call;
}

}  // namespace

Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, OptionalInt horizon,
                 bool causal, const AttentionOptions& options) {
  Call call = make_call(horizon, options);
  call.query = query, call.key = key, call.value = value;
  call.causal = causal;
  call.query_padding_mask = options.query_padding_mask;
  call.key_padding_mask = options.key_padding_mask;
  Whole<op::Attention>::run(call);
  return call.output;
}

Tensor attention_varlen(const Tensor& query, const Tensor& key, const Tensor& value,
                        const Tensor& cu_seqlens_q, const Tensor& cu_seqlens_k, OptionalInt horizon,
                        bool causal, const VarlenOptions& options) {
  Call call = make_call(horizon, options);
  call.query = query, call.key = key, call.value = value;
  call.cu_seqlens_q = cu_seqlens_q, call.cu_seqlens_k = cu_seqlens_k;
  call.max_seqlen_q = options.max_seqlen_q, call.max_seqlen_k = options.max_seqlen_k;
  call.causal = causal;
  Whole<op::AttentionVarlen>::run(call);
  return call.output;
}

std::tuple<Tensor, Tensor, Tensor, Tensor> attention_stateful(const Tensor& query, const Tensor& key,
                                                              const Tensor& value, const Tensor& S,
                                                              const Tensor& z, const Tensor& position,
                                                              OptionalInt horizon,
                                                              const StatefulOptions& options) {
  Call call = make_call(horizon, options);
  call.query = query, call.key = key, call.value = value;
  call.S = S, call.z = z, call.position = position;
  Whole<op::AttentionStateful>::run(call);
  return {call.output, call.S_out, call.z_out, call.position_out};
}

Tensor attention_step_(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& S,
                       const Tensor& z, const Tensor& position, OptionalInt horizon,
                       const StepOptions& options) {
  Call call = make_call(horizon, options);
  call.query = query, call.key = key, call.value = value;
  call.S = S, call.z = z, call.position = position;
  Whole<op::AttentionStep>::run(call);
  return call.output;
}

std::tuple<Tensor, Tensor> attention_state(const Tensor& key, const Tensor& value, const Tensor& position,
                                           OptionalInt horizon, const StateOptions& options) {
  Call call = make_call(horizon, options);
  call.key = key, call.value = value, call.position = position;
  Whole<op::AttentionState>::run(call);
  return {call.S_out, call.z_out};
}

Tensor attention_read(const Tensor& query, const Tensor& S, const Tensor& z, const Tensor& position,
                      OptionalInt horizon, const ReadOptions& options) {
  Call call = make_call(horizon, options);
  call.query = query, call.S = S, call.z = z, call.position = position;
  Whole<op::AttentionRead>::run(call);
  return call.output;
}

}  // namespace cosformer::ops
