#pragma once

#include <string>

#include "cosformer/error.h"
#include "kernels/cuda/current_device.h"
#include "kernels/cuda/device.h"

/// Starting a kernel: a class with Args, run(const Args&) for each thread, and kBytes of block memory.
namespace cosformer::cuda {

inline void require_blocks(int64_t blocks) {
  if (blocks <= INT32_MAX) return;
  throw ShapeError("attention: needs " + std::to_string(blocks) +
                   " blocks of threads, more than a GPU takes");
}

#if defined(COSFORMER_EMULATE_CUDA)

template <class Kernel>
void prepare(int64_t blocks, const CurrentDevice&) {
  require_blocks(blocks);
}

template <class Kernel>
void launch(int64_t blocks, const typename Kernel::Args& args, void*, const CurrentDevice&) {
  emulator::run_blocks(blocks, Kernel::kBytes, [&] { Kernel::run(args); });
}

#else

/// Blocks that a processor's registers have to have room for; 0: whatever the compiler comes to.
template <class Kernel>
constexpr int blocks_a_processor() {
  if constexpr (requires { Kernel::kBlocksAProcessor; }) return Kernel::kBlocksAProcessor;
  return 0;
}

template <class Kernel>
__global__ void __launch_bounds__(kThreads, blocks_a_processor<Kernel>())
    start(const __grid_constant__ typename Kernel::Args args) {
  Kernel::run(args);
}

inline void require_started(cudaError_t result, const CurrentDevice& device) {
  if (succeeded(result)) return;
  if (result == cudaErrorNoKernelImageForDevice || result == cudaErrorInvalidDeviceFunction) {
    throw DeviceError(no_code_for(device.gpu()));
  }
  require(result, "a kernel did not start");
}

/// What may keep the kernel from starting, found before any has.
template <class Kernel>
void prepare(int64_t blocks, const CurrentDevice& device) {
  require_blocks(blocks);
  constexpr int kWithoutAsking = 48 * 1024;
  if (Kernel::kBytes <= kWithoutAsking) return;
  if (Kernel::kBytes > device.block_bytes()) {
    throw DeviceError(block_memory_too_small(device.gpu(), Kernel::kBytes));
  }
  require_started(
      cudaFuncSetAttribute(start<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize, Kernel::kBytes),
      device);
}

template <class Kernel>
void launch(int64_t blocks, const typename Kernel::Args& args, void* stream, const CurrentDevice& device) {
  if (blocks == 0) return;
  void* arguments[] = {const_cast<typename Kernel::Args*>(&args)};
  require_started(cudaLaunchKernel(start<Kernel>, dim3(static_cast<unsigned>(blocks)), dim3(kThreads),
                                   arguments, Kernel::kBytes, static_cast<cudaStream_t>(stream)),
                  device);
}

#endif

}  // namespace cosformer::cuda
