#pragma once

#include <algorithm>
#include <new>
#include <vector>

#include "cosformer/cuda.h"
#include "kernels/cuda/launch.h"

namespace cosformer::cuda {

/// A call's GPU, stream and scratch memory. Its passes are gone through twice: until take_memory() they tell
/// what they need and no kernel starts, so that a call that cannot be served has written nothing.
class Run {
 public:
  /// @throws DeviceError where there is no GPU that can run it
  Run(const Execution& execution, const AttentionShape& shape)
      : execution_(execution), shape_(shape), device_(execution.device) {
    const int wanted = execution.architecture;
    if (wanted != 0 && wanted != 80 && !(wanted == 90 && device_.can_be_hopper())) {
      throw DeviceError(wrong_architecture(device_.gpu(), wanted));
    }
    has_warpgroups_ = wanted == 90 || (wanted == 0 && device_.is_hopper());
  }
  ~Run() {
    for (void* memory : own_) {
#if defined(COSFORMER_EMULATE_CUDA)
      ::operator delete(memory);
#else
      cudaFreeAsync(memory, static_cast<cudaStream_t>(execution_.stream));
#endif
    }
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  template <class T>
  T* scratch(int64_t elements) {
    if (starts_) return static_cast<T*>(memory_[next_++]);
    wanted_.push_back(std::max<size_t>(static_cast<size_t>(elements) * sizeof(T), 16));
    return reinterpret_cast<T*>(this);  // null would mean that there is none
  }

  /// @param args what the kernel's are made of, where it starts
  template <class Kernel, class Args = typename Kernel::Args>
  void start(int64_t blocks, const Args& args) {
    if (starts_) return launch<Kernel>(blocks, typename Kernel::Args(args), execution_.stream, device_);
    prepare<Kernel>(blocks, device_);
  }
  /// As launches of `at_once` blocks, one after another.
  template <class Kernel, class Args>
  void start_in_turn(int64_t blocks, int64_t at_once, const Args& args) {
    if (!starts_) return prepare<Kernel>(std::min(blocks, at_once), device_);
    typename Kernel::Args now(args);
    for (; now.first_block < blocks; now.first_block += at_once) {
      launch<Kernel>(std::min(at_once, blocks - now.first_block), now, execution_.stream, device_);
    }
  }

  /// @throws OutOfMemory
  void take_memory() {
    for (const size_t bytes : wanted_) {
      void* memory = execution_.scratch ? execution_.scratch(bytes) : allocate(bytes);
      if (!memory) throw OutOfMemory(no_memory(shape_, bytes));
      memory_.push_back(memory);
    }
    starts_ = true;
  }

  /// Whether four warps multiply together: on Hopper alone.
  bool has_warpgroups() const {
    return has_warpgroups_;
  }

  bool rounds_to_tf32() const {
    return execution_.tf32;
  }

  int64_t width() const {
    return execution_.width > 0 ? execution_.width : device_.processors();
  }

 private:
  /// Null where there is none.
  void* allocate(size_t bytes) {
    void* memory = nullptr;
#if defined(COSFORMER_EMULATE_CUDA)
    memory = ::operator new(bytes);
#else
    const cudaError_t result = cudaMallocAsync(&memory, bytes, static_cast<cudaStream_t>(execution_.stream));
    if (result == cudaErrorMemoryAllocation) return cudaGetLastError(), nullptr;
    require(result, "no scratch memory");
#endif
    own_.push_back(memory);
    return memory;
  }

  const Execution& execution_;
  const AttentionShape& shape_;
  const CurrentDevice device_;
  bool has_warpgroups_ = false, starts_ = false;
  std::vector<size_t> wanted_;
  std::vector<void*> memory_, own_;
  size_t next_ = 0;
};

}  // namespace cosformer::cuda
