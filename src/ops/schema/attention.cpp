#include <ATen/core/enum_tag.h>
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(cosformer, library) {
  library.def(
      "attention(Tensor query, Tensor key, Tensor value, *, int? horizon, bool causal=False, "
      "Tensor? query_padding_mask=None, Tensor? key_padding_mask=None, Tensor? decay=None, "
      "str feature_map=\"relu\", bool normalize=True, float eps=1e-6) -> Tensor",
      {at::Tag::pt2_compliant_tag});

  // What autograd calls. The denominator [B, Tq, H] is the sum of weights before the clamp; without normalize
  // it has no element.
  library.def(
      "_attention_forward(Tensor query, Tensor key, Tensor value, *, int? horizon, bool causal, "
      "Tensor? query_padding_mask, Tensor? key_padding_mask, Tensor? decay, str feature_map, bool normalize, "
      "float eps) -> (Tensor output, Tensor denominator)",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "_attention_backward(Tensor query, Tensor key, Tensor value, *, int? horizon, bool causal, "
      "Tensor? query_padding_mask, Tensor? key_padding_mask, Tensor? decay, str feature_map, bool normalize, "
      "float eps, Tensor output, Tensor denominator, Tensor? d_output) "
      "-> (Tensor d_query, Tensor d_key, Tensor d_value)",
      {at::Tag::pt2_compliant_tag});
}
