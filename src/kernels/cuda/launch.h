#pragma once

#include <string>

#include "cosformer/error.h"
#include "kernels/cuda/device.h"

/// Starting a kernel: a class with Args, run(const Args&) for each thread, and kBytes of block memory.
namespace cosformer::cuda {

#if defined(COSFORMER_EMULATE_CUDA)

template <class Kernel>
void launch(int64_t blocks, const typename Kernel::Args& args, void*) {
  emulator::run_blocks(blocks, Kernel::kBytes, [&] { Kernel::run(args); });
}

#else

inline void require(cudaError_t result, const char* what) {
  if (result == cudaSuccess) return;
  throw DeviceError(std::string("attention: ") + what + ": " + cudaGetErrorString(result));
}

template <class Kernel>
__global__ void __launch_bounds__(kThreads) start(const __grid_constant__ typename Kernel::Args args) {
  Kernel::run(args);
}

template <class Kernel>
void launch(int64_t blocks, const typename Kernel::Args& args, void* stream) {
  if (blocks == 0) return;
  if (blocks > INT32_MAX)
    throw ShapeError("attention: needs " + std::to_string(blocks) +
                     " blocks of threads, more than a GPU takes");
  constexpr int kWithoutAsking = 48 * 1024;
  if (Kernel::kBytes > kWithoutAsking) {
    require(cudaFuncSetAttribute(start<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize, Kernel::kBytes),
            "this GPU gives a block too little memory");
  }
  start<Kernel>
      <<<static_cast<unsigned>(blocks), kThreads, Kernel::kBytes, static_cast<cudaStream_t>(stream)>>>(args);
  require(cudaGetLastError(), "a kernel did not start");
}

#endif

}  // namespace cosformer::cuda
