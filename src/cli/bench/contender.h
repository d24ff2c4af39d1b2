#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "cosformer/attention.h"

namespace cosformer::cli {

/// Attention of one length, B = 1, horizon = T, with random inputs, and the gradient that comes in.
struct AttentionCase {
  int64_t T = 0;
  bool causal = true;
  at::Tensor query, key, value, d_output;  ///< [1, T, H, K], float32 or float64

  int64_t heads() const { return query.size(2); }
  int64_t width() const { return query.size(3); }
};

AttentionCase make_case(int64_t T, int64_t heads, int64_t width, bool causal);

struct AttentionPasses {
  at::Tensor output, d_query, d_key,
      d_value;  ///< [1, T, H, K]; gradients undefined where only forward was asked for
};

/// One way to compute a case.
struct Contender {
  std::string name;
  Isa isa = Isa::generic;  ///< whose peak bounds it
  Form form = Form::automatic;
  bool cosine = true;  ///< false: softmax attention, for comparison
  bool has_backward = true;
  int64_t longest = 0;  ///< beyond this length it takes too long; 0: no limit
  std::function<AttentionPasses(const AttentionCase&, bool backward)> run;
};

/// The LibTorch operator. Gradients are returned, not accumulated.
Contender operator_contender();
/// The kernel library with exactly this instruction set and form.
Contender kernel_contender(Isa isa, Form form);
/// Softmax attention of the same LibTorch, given its favourite layout.
Contender sdpa_contender();

const char* name(Form form);

}  // namespace cosformer::cli
