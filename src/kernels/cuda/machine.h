#pragma once

#include <string>

#include "cosformer/attention.h"

/// What keeps a call from running on a machine, in one line each.
namespace cosformer::cuda {

/// Versions as CUDA counts them: 1000 major + 10 minor.
struct Driver {
  int installed = 0;  ///< the newest CUDA that it serves; 0: there is no driver
  int built_with = 0;
};

struct Gpu {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int block_bytes = 0;       ///< memory that a block can have

  std::string capability() const { return std::to_string(major) + '.' + std::to_string(minor); }
};

/// @param reason what CUDA says where the driver is not to blame
inline std::string no_gpu(const Driver& driver, const std::string& reason) {
  const auto version = [](int v) { return std::to_string(v / 1000) + '.' + std::to_string(v % 1000 / 10); };
  // A driver serves what was built with any CUDA of its major version.
  const int needed = driver.built_with / 1000 * 1000;
  if (driver.installed >= needed) return "attention: no GPU: " + reason;
  return "attention: no GPU: expected NVIDIA's driver for CUDA " + version(needed) + " or later, got " +
         (driver.installed == 0 ? "none" : "one for CUDA " + version(driver.installed));
}

inline constexpr int kOldestMajor = 8;
inline std::string gpu_too_old(const Gpu& gpu) {
  return "attention: expected a GPU of compute capability 8.0 or later, got " + gpu.name + " of " +
         gpu.capability();
}

inline std::string no_code_for(const Gpu& gpu) {
  return "attention: expected a build whose CMAKE_CUDA_ARCHITECTURES serve compute capability " +
         gpu.capability() + ", that of " + gpu.name + ", got one without code for it";
}

inline std::string block_memory_too_small(const Gpu& gpu, int needed) {
  return "attention: these K and V need " + std::to_string(needed) +
         " bytes of a block's memory, expected a GPU that has them, got " + gpu.name + " with " +
         std::to_string(gpu.block_bytes);
}

inline std::string no_such_gpu(int device, int count) {
  return "attention: expected a GPU below " + std::to_string(count) + ", got " + std::to_string(device);
}

/// @param architecture of cuda::Execution, which does not run on the GPU or is in none of the build's code
inline std::string wrong_architecture(const Gpu& gpu, int architecture) {
  if (architecture == 90 && gpu.major == 9 && gpu.minor == 0) {
    return "attention: architecture 90 on " + gpu.name +
           " expects a build whose CMAKE_CUDA_ARCHITECTURES have 90a, got one without code for sm_90a";
  }
  return "attention: architecture must be 0, 80, or 90 on a GPU of compute capability 9.0, got " +
         std::to_string(architecture) + " on " + gpu.name + " of " + gpu.capability();
}

inline std::string no_memory(const AttentionShape& s, std::size_t bytes) {
  const auto size = [](const char* name, int64_t n) { return std::string(name) + " = " + std::to_string(n); };
  return "attention: out of memory: expected " + std::to_string(bytes) + " bytes for " + size("B", s.B) +
         ", " + size("Tq", s.Tq) + ", " + size("Tk", s.Tk) + ", " + size("H", s.H) + ", " + size("G", s.G) +
         ", " + size("K", s.K) + ", " + size("V", s.V) + " beside the tensors, got none";
}

}  // namespace cosformer::cuda
