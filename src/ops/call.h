#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace cosformer::ops {

using Tensor = at::Tensor;
using OptionalTensor = std::optional<at::Tensor>;
using OptionalInt = std::optional<int64_t>;

/// The arguments and results of one call of any operator, named as in the schemas. What an operator lacks
/// stays undefined, absent or as it is here.
struct Call {
  const char* name = "";  ///< what error messages call the operator

  Tensor query, key, value;
  Tensor cu_seqlens_q, cu_seqlens_k;
  Tensor S, z, position;

  OptionalInt horizon;
  bool causal = false;
  OptionalTensor query_padding_mask, key_padding_mask;
  OptionalInt max_seqlen_q, max_seqlen_k;
  OptionalTensor decay;
  std::string_view feature_map = "relu";
  bool normalize = true;
  double eps = 1e-6;

  Tensor output, denominator, S_out, z_out, position_out;

  /// Of the results; an absent one is zero.
  OptionalTensor d_output, dS_out, dz_out;
  bool state_gradients = false;  ///< whether dS and dz are wanted
  Tensor d_query, d_key, d_value, dS, dz;
};

/// An optional tensor may also hold an undefined one.
inline bool present(const OptionalTensor& tensor) {
  return tensor && tensor->defined();
}

}  // namespace cosformer::ops
