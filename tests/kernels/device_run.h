#pragma once

#include <utility>

#include "cosformer/cuda.h"
#include "kernels/attention_case.h"
#include "kernels/device_copy.h"

namespace cosformer::test {

/// function(args, execution) with copies of the arguments on the device and scratch memory that begins as
/// NaN.
template <class Args, class Function>
void call_on_device(const Args& args, cuda::Execution execution, const Function& function) {
  DeviceCopies copies;
  const Args there = copy_to_device(args, copies);
  execution.scratch = [&](size_t bytes) { return copies.scratch(bytes); };
  function(there, std::as_const(execution));
  copies.bring_back();
}

/// Attention and its gradients there.
template <class T>
Results run_on_device(const Case& c, const Inputs<T>& inputs, const cuda::Execution& execution) {
  return run<T>(
      c, inputs,
      [&](const auto& a) {
        call_on_device(a, execution, [](const auto&... args) { cuda::attention_forward(args...); });
      },
      [&](const auto& a) {
        call_on_device(a, execution, [](const auto&... args) { cuda::attention_backward(args...); });
      });
}

}  // namespace cosformer::test
