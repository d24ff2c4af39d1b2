#pragma once

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/autograd/derivative.h"
#include "ops/autograd/saved_call.h"
#include "ops/operators.h"

namespace cosformer::ops {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// _X_forward, with _X_backward as its derivative. Inputs that X lacks are absent.
template <class X>
struct Differentiable : torch::autograd::Function<Differentiable<X>> {
  static variable_list forward(AutogradContext* context, const OptionalTensor&, const OptionalTensor&,
                               const OptionalTensor&, const OptionalTensor&, const OptionalTensor&,
                               Call& call) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    Forward<X>::run(call);
    // A result that leads nowhere has no gradient; the backward operator then skips it.
    context->set_materialize_grads(false);
    save(*context, call);
    return Whole<X>::results_of(call);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    Call call = saved_call(*context);
    size_t next = 0;
    if (call.output.defined()) call.d_output = gradients[next++];
    if (next < gradients.size()) {
      call.dS_out = gradients[next];
      call.dz_out = gradients[next + 1];
    }
    if (!present(call.d_output) && !present(call.dS_out) && !present(call.dz_out)) return variable_list(6);
    Backward<X>::run(call);
    return {
        call.d_query, call.d_key, call.d_value, wanted_state(call.dS, call), wanted_state(call.dz, call), {}};
  }

 private:
  static Tensor wanted_state(const Tensor& gradient, const Call& call) {
    return call.state_gradients ? gradient : Tensor();
  }
};

/// X where a derivative may be needed.
template <class X>
void differentiate(Call& call) {
  check(call);  // here, since a tensor of another layout or device would lead elsewhere
  check_decay_has_no_gradient(call);
  if (needs_derivative(call)) {
    const auto input = [](const Tensor& tensor) {
      return tensor.defined() ? OptionalTensor(tensor) : OptionalTensor();
    };
    Whole<X>::set_results(
        call, Differentiable<X>::apply(input(call.query), input(call.key), input(call.value), input(call.S),
                                       input(call.z), call));
  } else {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    Whole<X>::run(call);
  }
}

}  // namespace cosformer::ops
