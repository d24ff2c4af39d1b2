#include <ATen/core/enum_tag.h>
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(cosformer, library) {
  library.def(
      "attention_stateful(Tensor query, Tensor key, Tensor value, Tensor S, Tensor z, Tensor position, *, "
      "int? horizon, Tensor? padding_mask=None, Tensor? decay=None, str feature_map=\"relu\", "
      "bool normalize=True, float eps=1e-6) -> (Tensor output, Tensor S, Tensor z, Tensor position)",
      {at::Tag::pt2_compliant_tag});

  // What autograd calls. An absent gradient is zero; dS and dz have no element unless state_gradients.
  library.def(
      "_attention_stateful_forward(Tensor query, Tensor key, Tensor value, Tensor S, Tensor z, "
      "Tensor position, *, int? horizon, Tensor? padding_mask, Tensor? decay, str feature_map, bool "
      "normalize, "
      "float eps) -> (Tensor output, Tensor denominator, Tensor S, Tensor z, Tensor position)",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "_attention_stateful_backward(Tensor query, Tensor key, Tensor value, Tensor S, Tensor z, "
      "Tensor position, *, int? horizon, Tensor? padding_mask, Tensor? decay, str feature_map, bool "
      "normalize, "
      "float eps, Tensor output, Tensor denominator, Tensor? d_output, Tensor? dS_out, Tensor? dz_out, "
      "bool state_gradients) -> (Tensor d_query, Tensor d_key, Tensor d_value, Tensor dS, Tensor dz)",
      {at::Tag::pt2_compliant_tag});
}
