#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <initializer_list>

namespace cosformer::ops {

/// Whether a call needs a derivative: backward through a graph, or a forward-mode tangent (which is then
/// refused by the autograd function instead of being lost).
inline bool needs_derivative(std::initializer_list<std::reference_wrapper<const at::Tensor>> inputs) {
  for (const at::Tensor& input : inputs) {
    if (at::GradMode::is_enabled() && input.requires_grad()) return true;
    if (input._fw_grad(0).defined()) return true;
  }
  return false;
}

}  // namespace cosformer::ops
