#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/library.h>

#include "ops/arguments.h"
#include "ops/autograd/differentiable.h"
#include "ops/signatures.h"

namespace cosformer::ops {
namespace {

constexpr const char* kName = "attention_step_";

Tensor attention_step_(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& S,
                       const Tensor& z, const Tensor& position, OptionalInt horizon,
                       const OptionalTensor& decay, std::string_view feature_map, bool normalize,
                       double eps) {
  TORCH_CHECK(!needs_derivative({query, key, value, S, z}), kName,
              ": tensors must not require grad, since S and z are advanced in place; use attention_stateful "
              "or no_grad");
  Tensor output;
  {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    static const auto op = find_operator<signature::AttentionStep>("cosformer::attention_step_");
    output = op.call(query, key, value, S, z, position, horizon, decay, feature_map, normalize, eps);
  }
  // So that a graph which saved one of these for its backward pass notices.
  for (const Tensor& changed : {S, z, position}) {
    if (!changed.is_inference()) changed.unsafeGetTensorImpl()->bump_version();
  }
  return output;
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, Autograd, library) {
  library.impl("attention_step_", attention_step_);
}

}  // namespace cosformer::ops
