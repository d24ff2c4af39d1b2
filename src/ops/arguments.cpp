#include "ops/arguments.h"

#include <cmath>

namespace cosformer::ops {
namespace {

Because leading(const Call& call) {
  return call.query.defined() ? Because{"query", call.query} : Because{"key", call.key};
}

/// Of the tensor whose dtype and device the others have.
void check_storage(const Call& call) {
  const auto [name, tensor] = leading(call);
  const auto dtype = tensor.scalar_type();
  // A trace shows the tensors of every device as Meta ones.
  const bool half = tensor.is_cuda() || tensor.is_meta(), wide = !tensor.is_cuda();
  TORCH_CHECK_TYPE(dtype == at::kFloat || dtype == at::kBFloat16 || (half && dtype == at::kHalf) ||
                       (wide && dtype == at::kDouble),
                   call.name, ": ", name, " must be Float, BFloat16",
                   half && wide ? ", Half or Double"
                   : half       ? " or Half"
                                : " or Double",
                   ", got ", dtype, tensor.is_cuda() ? " on CUDA" : "");
}

/// The number of packed sequences.
void check_cu_seqlens(const Call& call, Shape& s) {
  for (const auto& [name, tensor] :
       {Because{"cu_seqlens_q", call.cu_seqlens_q}, {"cu_seqlens_k", call.cu_seqlens_k}}) {
    check_sizes(call, name, tensor, {"n + 1"});
    const auto dtype = tensor.scalar_type();
    TORCH_CHECK_TYPE(dtype == at::kInt || dtype == at::kLong, call.name, ": ", name,
                     " must be Int or Long, got ", dtype);
    check_type(call, name, tensor, dtype, {"query", call.query});
  }
  const auto length = call.cu_seqlens_q.sym_size(0);
  TORCH_CHECK_VALUE(length.sym_ge(1).expect_true(__FILE__, __LINE__), call.name,
                    ": cu_seqlens_q must begin with 0, got no element");
  check_sizes(call, "cu_seqlens_k", call.cu_seqlens_k, {length}, Because{"cu_seqlens_q", call.cu_seqlens_q});
  s.B = length - 1;
  for (const auto& [name, longest] :
       {std::pair{"max_seqlen_q", call.max_seqlen_q}, {"max_seqlen_k", call.max_seqlen_k}}) {
    TORCH_CHECK_VALUE(longest.value_or(0) >= 0, call.name, ": ", name, " must be >= 0 or None, got ",
                      *longest);
  }
}

void check_query(const Call& call, Shape& s) {
  const bool one = packed(call);
  check_sizes(call, "query", call.query, token_sizes(call, "B", one ? "total_q" : "Tq", "H", "K"));
  check_storage(call);
  if (!one) s.B = call.query.sym_size(0);
  s.Tq = call.query.sym_size(-3);
  s.H = call.query.sym_size(-2);
  s.K = call.query.sym_size(-1);
}

void check_key_and_value(const Call& call, Shape& s) {
  const char* Tk = packed(call) ? "total_k" : "Tk";
  if (call.query.defined()) {
    check_sizes(call, "key", call.key, token_sizes(call, s.B, Tk, "G", s.K), Because{"query", call.query});
  } else {
    check_sizes(call, "key", call.key, token_sizes(call, "B", Tk, "G", "K"));
    check_storage(call);
    s.B = call.key.sym_size(0);
    s.K = call.key.sym_size(-1);
  }
  s.Tk = call.key.sym_size(-3);
  s.G = call.key.sym_size(-2);
  check_sizes(call, "value", call.value, token_sizes(call, s.B, s.Tk, s.G, "V"), Because{"key", call.key});
  s.V = call.value.sym_size(-1);
  check_type(call, "key", call.key, storage_type(call), leading(call));
  check_type(call, "value", call.value, storage_type(call), leading(call));
}

/// A state that is read says which groups there are.
void check_state_alone(const Call& call, Shape& s) {
  const c10::SymInt N = call.horizon ? 2 : 1;
  check_sizes(call, "S", call.S, {s.B, "G", N, s.K, "V"}, leading(call));
  s.G = call.S.sym_size(1);
  s.V = call.S.sym_size(4);
}

void check_groups(const Call& call, const Shape& s) {
  const bool none = s.G.sym_eq(0).guard_or_false(__FILE__, __LINE__);
  TORCH_CHECK_VALUE(equal(none ? s.H : s.H % s.G, 0), call.name, ": query must have a multiple of ",
                    call.key.defined() ? "key" : "S", "'s ", s.G, " heads, got ", s.H);
}

void check_states(const Call& call, const Shape& s, const char* S_name, const OptionalTensor& S,
                  const char* z_name, const OptionalTensor& z) {
  const c10::SymInt N = call.horizon ? 2 : 1;
  if (present(S)) check_sizes(call, S_name, *S, {s.B, s.G, N, s.K, s.V}, leading(call));
  if (present(z)) check_sizes(call, z_name, *z, {s.B, s.G, N, s.K}, leading(call));
  if (present(S)) check_type(call, S_name, *S, state_type(call), leading(call));
  if (present(z)) check_type(call, z_name, *z, state_type(call), leading(call));
}

void check_mask(const Call& call, const char* name, const OptionalTensor& mask, const c10::SymInt& B,
                const Because& tokens) {
  if (!present(mask)) return;
  check_sizes(call, name, *mask, {B, tokens.tensor.sym_size(1)}, tokens);
  check_type(call, name, *mask, at::kBool, leading(call));
}

void check_rows(const Call& call, const Shape& s) {
  if (call.position.defined()) {
    check_sizes(call, "position", call.position, {s.B}, leading(call));
    check_type(call, "position", call.position, at::kLong, leading(call));
    check_mask(call, "padding_mask", call.key_padding_mask, s.B, {"key", call.key});
  } else {
    check_mask(call, "query_padding_mask", call.query_padding_mask, s.B, {"query", call.query});
    check_mask(call, "key_padding_mask", call.key_padding_mask, s.B, {"key", call.key});
  }
}

void check_decay(const Call& call, const Shape& s) {
  if (!present(call.decay)) return;
  check_sizes(call, "decay", *call.decay, {s.G}, Because{"key", call.key});
  check_type(call, "decay", *call.decay, at::kFloat, leading(call));
  TORCH_CHECK_VALUE(call.causal || !call.query.defined(), call.name,
                    ": decay needs causal = True, got causal = False");
}

FeatureMap parse_feature_map(const Call& call) {
  if (call.feature_map == "relu") return FeatureMap::relu;
  if (call.feature_map == "identity") return FeatureMap::identity;
  TORCH_CHECK_VALUE(false, call.name, ": feature_map must be \"relu\" or \"identity\", got \"",
                    call.feature_map, "\"");
}

void check_options(const Call& call, const Shape& s) {
  TORCH_CHECK_VALUE(!call.causal || equal(s.Tq, s.Tk), call.name,
                    ": causal needs as many queries as keys, got Tq = ", s.Tq, ", Tk = ", s.Tk);
  const auto eps = static_cast<float>(call.eps);
  TORCH_CHECK_VALUE(std::isfinite(eps) && eps > 0, call.name, ": eps must be finite and > 0 in float32, got ",
                    call.eps);
  TORCH_CHECK_VALUE(!call.horizon || *call.horizon >= 1, call.name, ": horizon must be >= 1 or None, got ",
                    call.horizon.value_or(0));
  parse_feature_map(call);
}

/// Where every row is a token, the length alone may be too much.
void check_within_horizon(const Call& call, const c10::SymInt& length, const OptionalTensor& mask) {
  if (!call.horizon || packed(call) || present(mask)) return;
  TORCH_CHECK_VALUE(length.sym_le(*call.horizon).expect_true(__FILE__, __LINE__), call.name,
                    ": positions must stay below horizon = ", *call.horizon, ", got a length of ", length);
}

/// What a backward operator takes of the forward pass.
void check_results(const Call& call, const Shape& s) {
  if (call.output.defined()) {
    check_sizes(call, "output", call.output, token_sizes(call, s.B, s.Tq, s.H, s.V), leading(call));
    check_type(call, "output", call.output, storage_type(call), leading(call));
    check_sizes(call, "denominator", call.denominator, denominator_sizes(call, s), leading(call));
    check_type(call, "denominator", call.denominator, state_type(call), leading(call));
  }
  if (present(call.d_output)) {
    check_sizes(call, "d_output", *call.d_output, token_sizes(call, s.B, s.Tq, s.H, s.V), leading(call));
    check_type(call, "d_output", *call.d_output, storage_type(call), leading(call));
  }
  check_states(call, s, "dS_out", call.dS_out, "dz_out", call.dz_out);
}

}  // namespace

Shape check(const Call& call) {
  Shape s;
  if (packed(call)) check_cu_seqlens(call, s);
  if (call.query.defined()) check_query(call, s);
  if (call.key.defined()) {
    check_key_and_value(call, s);
  } else {
    check_state_alone(call, s);
  }
  if (call.query.defined()) check_groups(call, s);
  check_options(call, s);
  if (call.S.defined()) check_states(call, s, "S", call.S, "z", call.z);
  check_rows(call, s);
  check_decay(call, s);
  check_within_horizon(call, s.Tq, call.query_padding_mask);
  check_within_horizon(call, s.Tk, call.key_padding_mask);
  check_results(call, s);
  return s;
}

void check_one_token(const Call& call, const Shape& s) {
  TORCH_CHECK_VALUE(equal(s.Tq, 1), call.name, ": query must hold one token a sequence, got Tq = ", s.Tq);
}

at::ScalarType storage_type(const Call& call) {
  return leading(call).tensor.scalar_type();
}

at::ScalarType state_type(const Call& call) {
  return storage_type(call) == at::kDouble ? at::kDouble : at::kFloat;
}

Sizes token_sizes(const Call& call, const Size& B, const Size& T, const Size& heads, const Size& width) {
  return packed(call) ? Sizes{T, heads, width} : Sizes{B, T, heads, width};
}

Sizes denominator_sizes(const Call& call, const Shape& s) {
  if (!call.normalize) return {c10::SymInt(0)};
  return packed(call) ? Sizes{s.Tq, s.H} : Sizes{s.B, s.Tq, s.H};
}

cosformer::AttentionOptions kernel_options(const Call& call) {
  cosformer::AttentionOptions options;
  options.horizon = call.horizon;
  options.causal = call.causal;
  options.feature_map = parse_feature_map(call);
  options.normalize = call.normalize;
  options.eps = static_cast<float>(call.eps);
  return options;
}

}  // namespace cosformer::ops
