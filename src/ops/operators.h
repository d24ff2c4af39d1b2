#pragma once

#include "ops/operator.h"

/// The operators. A differentiable one, X, is three: X itself, _X_forward, which also gives what the backward
/// pass needs, and _X_backward.
namespace cosformer::ops {

namespace op {

struct Attention {
  static constexpr const char* kName = "attention";
  static constexpr bool kAdvances = false;
  using Arguments = Members<&Call::query, &Call::key, &Call::value, &Call::horizon, &Call::causal,
                            &Call::query_padding_mask, &Call::key_padding_mask, &Call::decay,
                            &Call::feature_map, &Call::normalize, &Call::eps>;
  using Results = Members<&Call::output>;
  using ForwardResults = Members<&Call::output, &Call::denominator>;
  using BackwardArguments = Members<&Call::output, &Call::denominator, &Call::d_output>;
  using Gradients = Members<&Call::d_query, &Call::d_key, &Call::d_value>;
};

struct AttentionVarlen : Attention {
  static constexpr const char* kName = "attention_varlen";
  using Arguments = Members<&Call::query, &Call::key, &Call::value, &Call::cu_seqlens_q, &Call::cu_seqlens_k,
                            &Call::horizon, &Call::causal, &Call::max_seqlen_q, &Call::max_seqlen_k,
                            &Call::decay, &Call::feature_map, &Call::normalize, &Call::eps>;
};

struct AttentionStateful {
  static constexpr const char* kName = "attention_stateful";
  /// Causal, and queries stand where keys do.
  static constexpr bool kAdvances = true;
  /// The schema's padding_mask.
  using Arguments =
      Members<&Call::query, &Call::key, &Call::value, &Call::S, &Call::z, &Call::position, &Call::horizon,
              &Call::key_padding_mask, &Call::decay, &Call::feature_map, &Call::normalize, &Call::eps>;
  using Results = Members<&Call::output, &Call::S_out, &Call::z_out, &Call::position_out>;
  using ForwardResults =
      Members<&Call::output, &Call::denominator, &Call::S_out, &Call::z_out, &Call::position_out>;
  using BackwardArguments = Members<&Call::output, &Call::denominator, &Call::d_output, &Call::dS_out,
                                    &Call::dz_out, &Call::state_gradients>;
  using Gradients = Members<&Call::d_query, &Call::d_key, &Call::d_value, &Call::dS, &Call::dz>;
};

struct AttentionStep {
  static constexpr const char* kName = "attention_step_";
  static constexpr bool kAdvances = true;
  using Arguments = Members<&Call::query, &Call::key, &Call::value, &Call::S, &Call::z, &Call::position,
                            &Call::horizon, &Call::decay, &Call::feature_map, &Call::normalize, &Call::eps>;
  using Results = Members<&Call::output>;
};

struct AttentionState {
  static constexpr const char* kName = "attention_state";
  static constexpr bool kAdvances = false;
  using Arguments = Members<&Call::key, &Call::value, &Call::position, &Call::horizon,
                            &Call::key_padding_mask, &Call::decay, &Call::feature_map>;
  using Results = Members<&Call::S_out, &Call::z_out>;
  using ForwardResults = Results;
  using BackwardArguments = Members<&Call::dS_out, &Call::dz_out>;
  using Gradients = Members<&Call::d_key, &Call::d_value>;
};

struct AttentionRead {
  static constexpr const char* kName = "attention_read";
  static constexpr bool kAdvances = false;
  using Arguments = Members<&Call::query, &Call::S, &Call::z, &Call::position, &Call::horizon,
                            &Call::feature_map, &Call::normalize, &Call::eps>;
  using Results = Members<&Call::output>;
  using ForwardResults = Members<&Call::output, &Call::denominator>;
  using BackwardArguments =
      Members<&Call::output, &Call::denominator, &Call::d_output, &Call::state_gradients>;
  using Gradients = Members<&Call::d_query, &Call::dS, &Call::dz>;
};

}  // namespace op

enum class Part { whole, forward, backward };

template <class X, Part part>
struct NameOf {
  static const char* short_name() { return X::kName; }
  static std::string full_name() {
    if (part == Part::whole) return std::string("cosformer::") + X::kName;
    return std::string("cosformer::_") + X::kName + (part == Part::forward ? "_forward" : "_backward");
  }
  static void complete(Call& call) {
    if (!X::kAdvances) return;
    call.causal = true;
    call.query_padding_mask = call.key_padding_mask;
  }
};

template <class X>
using Whole = Operator<NameOf<X, Part::whole>, typename X::Arguments, typename X::Results>;
template <class X>
using Forward = Operator<NameOf<X, Part::forward>, typename X::Arguments, typename X::ForwardResults>;
template <class X>
using Backward = Operator<NameOf<X, Part::backward>,
                          Join<typename X::Arguments, typename X::BackwardArguments>, typename X::Gradients>;

}  // namespace cosformer::ops
