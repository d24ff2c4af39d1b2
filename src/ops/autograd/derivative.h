#pragma once

#include <ATen/core/grad_mode.h>

#include <initializer_list>

#include "ops/call.h"

namespace cosformer::ops {

/// Whether a call needs a derivative: backward through a graph, or a forward-mode tangent (which is then
/// refused by the autograd function instead of being lost).
inline bool needs_derivative(const Call& call) {
  for (const Tensor* input : {&call.query, &call.key, &call.value, &call.S, &call.z}) {
    if (!input->defined()) continue;
    if (at::GradMode::is_enabled() && input->requires_grad()) return true;
    if (input->_fw_grad(0).defined()) return true;
  }
  return false;
}

/// @throws RuntimeError where a gradient of the decay would be expected
inline void check_decay_has_no_gradient(const Call& call) {
  const bool expected = present(call.decay) && at::GradMode::is_enabled() && call.decay->requires_grad();
  TORCH_CHECK(!expected, call.name,
              ": decay has no gradient, expected a tensor that does not require grad; "
              "detach it");
}

}  // namespace cosformer::ops
