#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "cosformer/cuda.h"
#include "kernels/cuda/launch.h"

namespace cosformer::cuda {

/// A call's stream and scratch memory.
class Run {
 public:
  /// @throws DeviceError where there is no GPU
  explicit Run(const Execution& execution) : execution_(execution) {
#if !defined(COSFORMER_EMULATE_CUDA)
    require(cudaGetDevice(&device_), "no GPU");
    int major = 0, minor = 0;
    require(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device_), "no GPU");
    require(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device_), "no GPU");
    architecture_ = 10 * major + minor;
    if (major < 8) {
      throw DeviceError("attention: expected a GPU of compute capability 8.0 or later, got " +
                        std::to_string(major) + "." + std::to_string(minor));
    }
#endif
  }
  ~Run() {
#if !defined(COSFORMER_EMULATE_CUDA)
    for (void* memory : own_) cudaFreeAsync(memory, static_cast<cudaStream_t>(execution_.stream));
#endif
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  template <class T>
  T* scratch(int64_t elements) {
    const size_t bytes = std::max<size_t>(static_cast<size_t>(elements) * sizeof(T), 16);
    if (execution_.scratch) return static_cast<T*>(execution_.scratch(bytes));
    void* memory = nullptr;
#if !defined(COSFORMER_EMULATE_CUDA)
    const std::string what = "no " + std::to_string(bytes) + " bytes of scratch memory";
    require(cudaMallocAsync(&memory, bytes, static_cast<cudaStream_t>(execution_.stream)), what.c_str());
    own_.push_back(memory);
#endif
    return static_cast<T*>(memory);
  }

  template <class Kernel>
  void start(int64_t blocks, const typename Kernel::Args& args) {
    launch<Kernel>(blocks, args, execution_.stream);
  }

  /// Whether four warps multiply together: on Hopper alone.
  bool has_warpgroups() const {
    return (execution_.architecture > 0 ? execution_.architecture : architecture_) == 90;
  }

  int64_t width() {
    if (execution_.width > 0) return execution_.width;
    int processors = 1;
#if !defined(COSFORMER_EMULATE_CUDA)
    require(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device_), "no GPU");
#endif
    return processors;
  }

 private:
  const Execution& execution_;
  int device_ = 0, architecture_ = 80;
  std::vector<void*> own_;
};

}  // namespace cosformer::cuda
