#pragma once

#include <ATen/core/Tensor.h>

#include "cosformer/attention.h"

/// The kernel library's double reference on tensors: what every operator is compared with.
namespace cosformer::ops::testing {

/// Arguments of a call and gradients of its results; undefined where it has none. What the reference does not
/// take as it is (dtype, strides) is converted.
struct Arguments {
  at::Tensor query, key, value, S, z, position;
  at::Tensor query_mask, key_mask, cu_seqlens_q, cu_seqlens_k, decay;
  at::Tensor d_output, dS_out, dz_out;
};

struct Results {
  at::Tensor output = {}, S = {}, z = {}, d_query = {}, d_key = {}, d_value = {}, dS = {}, dz = {};
};

Results reference_attention(const Arguments& given, const AttentionOptions& options);
Results reference_state(const Arguments& given, const AttentionOptions& options);
Results reference_read(const Arguments& given, const AttentionOptions& options);

}  // namespace cosformer::ops::testing
