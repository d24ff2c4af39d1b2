#include <ATen/core/enum_tag.h>
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(cosformer, library) {
  library.def(
      "attention_read(Tensor query, Tensor S, Tensor z, Tensor position, *, int? horizon, "
      "str feature_map=\"relu\", bool normalize=True, float eps=1e-6) -> Tensor",
      {at::Tag::pt2_compliant_tag});

  // What autograd calls. dS and dz have no element unless state_gradients.
  library.def(
      "_attention_read_forward(Tensor query, Tensor S, Tensor z, Tensor position, *, int? horizon, "
      "str feature_map, bool normalize, float eps) -> (Tensor output, Tensor denominator)",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "_attention_read_backward(Tensor query, Tensor S, Tensor z, Tensor position, *, int? horizon, "
      "str feature_map, bool normalize, float eps, Tensor output, Tensor denominator, Tensor? d_output, "
      "bool state_gradients) -> (Tensor d_query, Tensor dS, Tensor dz)",
      {at::Tag::pt2_compliant_tag});
}
