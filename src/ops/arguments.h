#pragma once

#include "cosformer/attention.h"
#include "ops/sizes.h"

/// What every operator checks of its arguments before it computes. No value of a tensor is read: that is left
/// to the kernel library.
namespace cosformer::ops {

/// Sizes of a call; 0 where it has no such tensor. Packed: B sequences, Tq and Tk rows of all together.
struct Shape {
  c10::SymInt B = 0, Tq = 0, Tk = 0, H = 0, G = 0, K = 0, V = 0;
};

/// @throws ValueError for ranks, sizes, devices and options, TypeError for dtypes
Shape check(const Call& call);

/// What attention_step_ needs beyond.
/// @throws ValueError unless Tq = 1
void check_one_token(const Call& call, const Shape& shape);

inline bool packed(const Call& call) {
  return call.cu_seqlens_q.defined();
}

/// The dtype of queries, keys, values and outputs, and that of states and denominators.
at::ScalarType storage_type(const Call& call);
at::ScalarType state_type(const Call& call);

/// The sizes of a tensor of tokens, and of the denominators: none without normalize.
Sizes token_sizes(const Call& call, const Size& B, const Size& T, const Size& heads, const Size& width);
Sizes denominator_sizes(const Call& call, const Shape& shape);

/// The kernel library's form of checked options.
cosformer::AttentionOptions kernel_options(const Call& call);

}  // namespace cosformer::ops
