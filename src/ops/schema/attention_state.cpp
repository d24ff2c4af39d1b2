#include <ATen/core/enum_tag.h>
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(cosformer, library) {
  library.def(
      "attention_state(Tensor key, Tensor value, Tensor position, *, int? horizon, Tensor? "
      "padding_mask=None, "
      "Tensor? decay=None, str feature_map=\"relu\") -> (Tensor S, Tensor z)",
      {at::Tag::pt2_compliant_tag});

  // What autograd calls. An absent gradient is zero.
  library.def(
      "_attention_state_forward(Tensor key, Tensor value, Tensor position, *, int? horizon, "
      "Tensor? padding_mask, Tensor? decay, str feature_map) -> (Tensor S, Tensor z)",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "_attention_state_backward(Tensor key, Tensor value, Tensor position, *, int? horizon, "
      "Tensor? padding_mask, Tensor? decay, str feature_map, Tensor? dS_out, Tensor? dz_out) "
      "-> (Tensor d_key, Tensor d_value)",
      {at::Tag::pt2_compliant_tag});
}
