#pragma once

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <atomic>

#include "cosformer/attention.h"

/// How CPU operators reach the kernel library: float32 and bfloat16 through the kernels on LibTorch's
/// threads, float64 through the reference; ShapeError and DeviceError leave as c10 errors with the same line.
namespace cosformer::ops {

inline void parallel_tasks(int64_t n, const std::function<void(int64_t)>& task) {
  // Tasks may differ in cost (causal rows do), so threads take the next one when they are free.
  std::atomic<int64_t> next = 0;
  at::parallel_for(0, std::min<int64_t>(n, at::get_num_threads()), 1, [&](int64_t, int64_t) {
    for (int64_t i = next++; i < n; i = next++) task(i);
  });
}

inline Execution execution() {
  Execution execution;
  execution.parallel = parallel_tasks;
  execution.width = at::get_num_threads();
  return execution;
}

// Beside the kernel library's overloads for float and bfloat16.
inline void attention_forward(const AttentionForward<double>& args, const Execution&) {
  reference::attention_forward(args);
}
inline void attention_backward(const AttentionBackward<double>& args, const Execution&) {
  reference::attention_backward(args);
}
inline void attention_step(const AttentionStep<double>& args, const Execution&) {
  reference::attention_step(args);
}
inline void attention_state(const AttentionState<double>& args, const Execution&) {
  reference::attention_state(args);
}
inline void attention_state_backward(const AttentionStateBackward<double>& args, const Execution&) {
  reference::attention_state_backward(args);
}
inline void attention_read(const AttentionRead<double>& args, const Execution&) {
  reference::attention_read(args);
}
inline void attention_read_backward(const AttentionReadBackward<double>& args, const Execution&) {
  reference::attention_read_backward(args);
}

/// Calls body(T{}) with the T of `dtype`.
template <class Body>
void with_type(at::ScalarType dtype, const Body& body) {
  try {
    if (dtype == at::kFloat) body(float{});
    if (dtype == at::kBFloat16) body(bfloat16{});
    if (dtype == at::kDouble) body(double{});
  } catch (const ShapeError& error) {
    TORCH_CHECK_VALUE(false, error.what());
  } catch (const DeviceError& error) {
    TORCH_CHECK(false, error.what());
  }
}

}  // namespace cosformer::ops
