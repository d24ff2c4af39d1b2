#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#include "cosformer/attention.h"
#include "ops/arguments.h"
#include "ops/fill/errors.h"

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

/// How CPU operators reach the kernel library: float32 and bfloat16 through the kernels on LibTorch's
/// threads, float64 through the reference; ShapeError and DeviceError leave as c10 errors with the same line.
class Cpu {
 public:
  /// @throws ValueError where what only sizes a launch elsewhere is wrong
  Cpu(const Call& call, const Shape& shape);

  /// Calls body(T{}) with the T of the call's dtype.
  template <class Body>
  void with_type(const Body& body) const {
    with_c10_errors([&] {
      if (dtype_ == at::kFloat) body(float{});
      if (dtype_ == at::kBFloat16) body(bfloat16{});
      if (dtype_ == at::kDouble) body(double{});
    });
  }

  void attention_forward(const auto& args) const {
    run(
        args, [](const auto&... a) { cosformer::attention_forward(a...); },
        [](const auto& a) { reference::attention_forward(a); });
  }
  void attention_backward(const auto& args) const {
    run(
        args, [](const auto&... a) { cosformer::attention_backward(a...); },
        [](const auto& a) { reference::attention_backward(a); });
  }
  void attention_step(const auto& args) const {
    run(
        args, [](const auto&... a) { cosformer::attention_step(a...); },
        [](const auto& a) { reference::attention_step(a); });
  }
  void attention_state(const auto& args) const {
    run(
        args, [](const auto&... a) { cosformer::attention_state(a...); },
        [](const auto& a) { reference::attention_state(a); });
  }
  void attention_state_backward(const auto& args) const {
    run(
        args, [](const auto&... a) { cosformer::attention_state_backward(a...); },
        [](const auto& a) { reference::attention_state_backward(a); });
  }
  void attention_read(const auto& args) const {
    run(
        args, [](const auto&... a) { cosformer::attention_read(a...); },
        [](const auto& a) { reference::attention_read(a); });
  }
  void attention_read_backward(const auto& args) const {
    run(
        args, [](const auto&... a) { cosformer::attention_read_backward(a...); },
        [](const auto& a) { reference::attention_read_backward(a); });
  }

 private:
  template <template <class> class Args, class T, class Kernels, class Reference>
  static void run(const Args<T>& args, const Kernels& kernels, const Reference& reference) {
    if constexpr (std::is_same_v<T, double>) {
      reference(args);
    } else {
      kernels(args, execution());
    }
  }

  at::ScalarType dtype_;
};

}  // namespace cosformer::ops
