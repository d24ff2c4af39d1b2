#pragma once

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAGuard.h>

#include <vector>

#include "cosformer/cuda.h"
#include "ops/arguments.h"
#include "ops/fill/errors.h"

namespace cosformer::ops {

/// How CUDA operators reach the kernel library: on the tensors' device and its current stream, with scratch
/// memory from the caching allocator. With COSFORMER_CHECK=1 in the environment masks, positions, cu_seqlens
/// and decay are looked at first, which waits for the device.
class Cuda {
 public:
  Cuda(const Call& call, const Shape& shape);

  /// Calls body(T{}) with the T of the call's dtype.
  template <class Body>
  void with_type(const Body& body) const {
    with_c10_errors([&] {
      if (dtype_ == at::kFloat) body(float{});
      if (dtype_ == at::kBFloat16) body(bfloat16{});
      if (dtype_ == at::kHalf) body(float16{});
    });
  }

  void attention_forward(const auto& args) const { cuda::attention_forward(args, execution()); }
  void attention_backward(const auto& args) const { cuda::attention_backward(args, execution()); }
  void attention_step(const auto& args) const { cuda::attention_step(args, execution()); }
  void attention_state(const auto& args) const { cuda::attention_state(args, execution()); }
  void attention_state_backward(const auto& args) const { cuda::attention_state_backward(args, execution()); }
  void attention_read(const auto& args) const { cuda::attention_read(args, execution()); }
  void attention_read_backward(const auto& args) const { cuda::attention_read_backward(args, execution()); }

 private:
  cuda::Execution execution() const;

  c10::cuda::CUDAGuard guard_;
  at::ScalarType dtype_;
  mutable std::vector<Tensor> scratch_;  ///< freed when this is: the allocator keeps it for the stream
};

}  // namespace cosformer::ops
