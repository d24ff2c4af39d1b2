#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cosformer/attention.h"

namespace cosformer::cli {

/// Which keys a query sees. In cross attention all keys of another sequence, here of the same length.
enum class Mask { causal, noncausal, cross };

/// Attention of one length, B = 1, horizon = T, with random inputs, and the gradient that comes in.
struct AttentionCase {
  int64_t T = 0;
  Mask mask = Mask::causal;
  at::Tensor query, key, value, d_output;  ///< [1, T, H, K], float32, bfloat16 or float64

  int64_t heads() const { return query.size(2); }
  int64_t width() const { return query.size(3); }
  at::ScalarType dtype() const { return query.scalar_type(); }
  bool causal() const { return mask == Mask::causal; }
};

AttentionCase make_case(int64_t T, int64_t heads, int64_t width, Mask mask,
                        at::ScalarType dtype = at::kFloat);
/// The same inputs in another dtype.
AttentionCase converted(const AttentionCase& c, at::ScalarType dtype);

struct AttentionPasses {
  at::Tensor output, d_query, d_key,
      d_value;  ///< [1, T, H, K]; gradients undefined where only forward was asked for
};

using AttentionFunction =
    std::function<at::Tensor(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v)>;
/// attention(query, key, value) of the case's tensors. Gradients are returned, not accumulated.
AttentionPasses run_attention(const AttentionCase& c, const AttentionFunction& attention, bool backward);

/// One way to compute a case.
struct Contender {
  std::string name;
  std::optional<Isa> isa = {};  ///< none: the fastest for the dtype
  Form form = Form::automatic;
  bool cosine = true;  ///< false: softmax attention, for comparison
  bool has_backward = true;
  int64_t longest = 0;                                 ///< it is skipped beyond this length; 0: no limit
  std::string beyond_longest = "would take too long";  ///< why
  std::function<AttentionPasses(const AttentionCase&, bool backward)> run;
};

/// The LibTorch operator.
Contender operator_contender();
/// The kernel library with exactly this instruction set and form.
Contender kernel_contender(Isa isa, Form form);
/// Softmax attention of the same LibTorch, given its favourite layout.
Contender sdpa_contender();

const char* name(Form form);
const char* name(Mask mask);
/// "float32", "bfloat16" or "float64".
const char* name(at::ScalarType dtype);

/// The instruction set whose kernels a contender runs, or would if it ran the operator's: its roofline.
Isa kernel_isa(const Contender& contender, at::ScalarType dtype);

}  // namespace cosformer::cli
