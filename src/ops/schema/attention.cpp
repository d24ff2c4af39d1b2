#include <ATen/core/enum_tag.h>
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(cosformer, library) {
  library.def(
      "attention(Tensor query, Tensor key, Tensor value, *, int? horizon, bool causal=False, "
      "Tensor? query_padding_mask=None, Tensor? key_padding_mask=None, Tensor? decay=None, "
      "str feature_map=\"relu\", bool normalize=True, float eps=1e-6) -> Tensor",
      {at::Tag::pt2_compliant_tag});

  // What autograd calls. The denominator [B, Tq, H] is the sum of weights before the clamp.
  library.def(
      "_attention_forward(Tensor query, Tensor key, Tensor value, *, int? horizon, bool causal, str "
      "feature_map, "
      "float eps) -> (Tensor output, Tensor denominator)",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "_attention_backward(Tensor d_output, Tensor query, Tensor key, Tensor value, Tensor output, "
      "Tensor denominator, *, int? horizon, bool causal, str feature_map, float eps) "
      "-> (Tensor d_query, Tensor d_key, Tensor d_value)",
      {at::Tag::pt2_compliant_tag});
}
