#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <atomic>

#include "cosformer/attention.h"

/// How CPU operators reach the kernel library: float32 through the kernels on LibTorch's threads, float64
/// through the reference; ShapeError and DeviceError leave as c10 errors with the same line.
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

inline void run(const AttentionForward<float>& args) {
  attention_forward(args, execution());
}
inline void run(const AttentionForward<double>& args) {
  reference::attention_forward(args);
}
inline void run(const AttentionBackward<float>& args) {
  attention_backward(args, execution());
}
inline void run(const AttentionBackward<double>& args) {
  reference::attention_backward(args);
}
inline void run(const AttentionStep<float>& args) {
  attention_step(args, execution());
}
inline void run(const AttentionStep<double>& args) {
  reference::attention_step(args);
}

/// Calls body(T{}) with T = float or double, as `dtype` says.
template <class Body>
void with_type(at::ScalarType dtype, const Body& body) {
  try {
    dtype == at::kFloat ? body(float{}) : body(double{});
  } catch (const ShapeError& error) {
    TORCH_CHECK_VALUE(false, error.what());
  } catch (const DeviceError& error) {
    TORCH_CHECK(false, error.what());
  }
}

/// `tensor`, or a copy where its last stride is not 1.
inline at::Tensor unit_last_stride(const at::Tensor& tensor) {
  return tensor.stride(3) == 1 || tensor.size(3) == 1 ? tensor : tensor.contiguous();
}

/// The first element; never null, since kernels take null for "absent" and a tensor without elements is not
/// that.
template <class T>
T* pointer(const at::Tensor& tensor) {
  static T nothing{};
  if (tensor.numel() == 0) return &nothing;
  if constexpr (std::is_const_v<T>) {
    return tensor.const_data_ptr<T>();
  } else {
    return tensor.mutable_data_ptr<T>();
  }
}

template <class T>
View<T> view(const at::Tensor& tensor) {
  return {pointer<T>(tensor), tensor.stride(0), tensor.stride(1), tensor.stride(2)};
}

inline AttentionShape shape_of(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  return {query.size(0), query.size(1), key.size(1),  query.size(2),
          key.size(2),   query.size(3), value.size(3)};
}

}  // namespace cosformer::ops
