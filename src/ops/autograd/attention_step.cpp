#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/library.h>

#include "ops/autograd/derivative.h"
#include "ops/operators.h"

namespace cosformer::ops {
namespace {

void refuse_derivatives(Call& call) {
  TORCH_CHECK(!needs_derivative(call), call.name,
              ": tensors must not require grad, since S and z are advanced in place; use attention_stateful "
              "or no_grad");
  check_decay_has_no_gradient(call);
  {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    Whole<op::AttentionStep>::run(call);
  }
  // So that a graph which saved one of these for its backward pass notices.
  for (const Tensor* changed : {&call.S, &call.z, &call.position}) {
    if (!changed->is_inference()) changed->unsafeGetTensorImpl()->bump_version();
  }
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, Autograd, library) {
  library.impl("attention_step_", Whole<op::AttentionStep>::pass<refuse_derivatives>);
}

}  // namespace cosformer::ops
