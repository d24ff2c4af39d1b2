#include <ATen/core/enum_tag.h>
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(cosformer, library) {
  library.def(
      "attention_varlen(Tensor query, Tensor key, Tensor value, Tensor cu_seqlens_q, Tensor cu_seqlens_k, *, "
      "int? horizon, bool causal=False, int? max_seqlen_q=None, int? max_seqlen_k=None, Tensor? decay=None, "
      "str feature_map=\"relu\", bool normalize=True, float eps=1e-6) -> Tensor",
      {at::Tag::pt2_compliant_tag});

  // What autograd calls. The denominator is [total_q, H].
  library.def(
      "_attention_varlen_forward(Tensor query, Tensor key, Tensor value, Tensor cu_seqlens_q, "
      "Tensor cu_seqlens_k, *, int? horizon, bool causal, int? max_seqlen_q, int? max_seqlen_k, Tensor? "
      "decay, "
      "str feature_map, bool normalize, float eps) -> (Tensor output, Tensor denominator)",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "_attention_varlen_backward(Tensor query, Tensor key, Tensor value, Tensor cu_seqlens_q, "
      "Tensor cu_seqlens_k, *, int? horizon, bool causal, int? max_seqlen_q, int? max_seqlen_k, Tensor? "
      "decay, "
      "str feature_map, bool normalize, float eps, Tensor output, Tensor denominator, Tensor? d_output) "
      "-> (Tensor d_query, Tensor d_key, Tensor d_value)",
      {at::Tag::pt2_compliant_tag});
}
