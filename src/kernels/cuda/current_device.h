#pragma once

#include <string>

#include "cosformer/error.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/machine.h"

#if !defined(COSFORMER_EMULATE_CUDA)
#include "kernels/cuda/driver.h"
#endif

namespace cosformer::cuda {

#if defined(COSFORMER_EMULATE_CUDA)

/// One GPU, 0, of either kind.
class CurrentDevice {
 public:
  explicit CurrentDevice(int device) {
    if (device > 0) throw DeviceError(no_such_gpu(device, 1));
  }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

  Gpu gpu() const { return {.name = "an emulated GPU", .major = 9}; }
  bool is_hopper() const { return false; }
  bool can_be_hopper() const { return true; }
  int processors() const { return 1; }
};

#else

/// An error that was thrown is not reported again by a later call.
inline bool succeeded(cudaError_t result) {
  return result == cudaSuccess || (cudaGetLastError(), false);
}

inline void require(cudaError_t result, const char* what) {
  if (succeeded(result)) return;
  throw DeviceError(std::string("attention: ") + what + ": " + cudaGetErrorString(result));
}

/// A GPU that is the current one while this lives, and stays it where the one before has no context yet:
/// cudaSetDevice would make one, some hundred MB of a GPU that nobody has used.
class CurrentDevice {
 public:
  /// @param device its number; below 0: the one that is current
  /// @throws DeviceError where there is none that the kernels can run on
  explicit CurrentDevice(int device) {
    require_gpu(cudaGetDevice(&before_));
    now_ = device < 0 ? before_ : device;
    if (now_ != before_) {
      int count = 0;
      require_gpu(cudaGetDeviceCount(&count));
      if (device >= count) throw DeviceError(no_such_gpu(device, count));
    }
    if (attribute(cudaDevAttrComputeCapabilityMajor) < kOldestMajor) throw DeviceError(gpu_too_old(gpu()));
    if (now_ != before_) require_gpu(cudaSetDevice(now_));
  }
  ~CurrentDevice() {
    if (now_ != before_ && has_context(before_)) cudaSetDevice(before_);
  }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

  /// Takes about a millisecond.
  Gpu gpu() const {
    cudaDeviceProp properties;
    require_gpu(cudaGetDeviceProperties(&properties, now_));
    return {properties.name, properties.major, properties.minor, block_bytes()};
  }
  int block_bytes() const { return attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin); }
  /// False too where the build has no code for sm_90a: that for sm_80 or sm_90, which such a GPU then runs,
  /// lacks Hopper's instructions.
  bool is_hopper() const {
#if defined(COSFORMER_HOPPER_CODE)
    return attribute(cudaDevAttrComputeCapabilityMajor) == 9 &&
           attribute(cudaDevAttrComputeCapabilityMinor) == 0;
#else
    return false;
#endif
  }
  bool can_be_hopper() const {
    return is_hopper();
  }
  int processors() const {
    return attribute(cudaDevAttrMultiProcessorCount);
  }

 private:
  static void require_gpu(cudaError_t result) {
    if (succeeded(result)) return;
    Driver driver{.built_with = CUDART_VERSION};
    cudaDriverGetVersion(&driver.installed);
    throw DeviceError(no_gpu(driver, cudaGetErrorString(result)));
  }
  static bool has_context(int device) {
    static auto* const get_state =
        driver_function<decltype(cuDevicePrimaryCtxGetState)>("cuDevicePrimaryCtxGetState", 7000);
    unsigned flags = 0;
    int active = 0;
    return get_state && get_state(device, &flags, &active) == CUDA_SUCCESS && active != 0;
  }
  int attribute(cudaDeviceAttr wanted) const {
    int number = 0;
    require_gpu(cudaDeviceGetAttribute(&number, wanted, now_));
    return number;
  }

  int before_ = 0, now_ = 0;
};

#endif

}  // namespace cosformer::cuda
