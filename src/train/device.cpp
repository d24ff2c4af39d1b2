#include "train/device.h"

#include <ATen/Context.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdlib>

#include "cosformer/cuda.h"
#include "cosformer/error.h"

namespace cosformer::train {
namespace {

/// LibTorch's words for what CUDA says.
std::string first_line(const c10::Error& error) {
  const std::string text = error.what_without_backtrace();
  return text.substr(0, text.find('\n'));
}

}  // namespace

c10::Device open_device(const std::string& name, int64_t index) {
  if (name == "cpu") return c10::kCPU;
  if (!cuda::is_built()) {
    throw DeviceError("device cuda: this build has no CUDA, expected one configured with COSFORMER_CUDA=ON");
  }
  // cuBLAS reads it with its first product. One workspace a stream, of fixed size: sums have one order.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  try {
    at::globalContext().lazyInitDevice(c10::kCUDA);
  } catch (const c10::Error& error) {
    throw DeviceError("device cuda: expected a GPU, got none: " + first_line(error));
  }
  const auto count = static_cast<int64_t>(at::detail::getCUDAHooks().deviceCount());
  if (index >= count) {
    throw DeviceError("device cuda: expected a GPU for each rank of this machine, got " +
                      std::to_string(count) + " for rank " + std::to_string(index) + " of it");
  }
  const c10::Device device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
  c10::impl::VirtualGuardImpl(c10::kCUDA).setDevice(device);
  return device;
}

}  // namespace cosformer::train
