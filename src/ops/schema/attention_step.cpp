#include <ATen/core/enum_tag.h>
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(cosformer, library) {
  library.def(
      "attention_step_(Tensor query, Tensor key, Tensor value, Tensor(a!) S, Tensor(b!) z, Tensor(c!) "
      "position, *, "
      "int? horizon, Tensor? decay=None, str feature_map=\"relu\", bool normalize=True, float eps=1e-6) -> "
      "Tensor",
      {at::Tag::pt2_compliant_tag});
}
