// What a GPU's functions say about machines that cannot run them.

#include <gtest/gtest.h>

#include "kernels/cuda/machine.h"

namespace cosformer::cuda {
namespace {

TEST(Machine, DriversAreNamed) {
  EXPECT_EQ(no_gpu({.installed = 0, .built_with = 13000}, "CUDA driver version is insufficient"),
            "attention: no GPU: expected NVIDIA's driver for CUDA 13.0 or later, got none");
  EXPECT_EQ(no_gpu({.installed = 12080, .built_with = 13020}, "CUDA driver version is insufficient"),
            "attention: no GPU: expected NVIDIA's driver for CUDA 13.0 or later, got one for CUDA 12.8");
  EXPECT_EQ(no_gpu({.installed = 13000, .built_with = 13020}, "no CUDA-capable device is detected"),
            "attention: no GPU: no CUDA-capable device is detected")
      << "a driver of the same major version serves";
}

TEST(Machine, GpusAreNamedWithWhatTheyLack) {
  EXPECT_EQ(gpu_too_old({.name = "Tesla T4", .major = 7, .minor = 5}),
            "attention: expected a GPU of compute capability 8.0 or later, got Tesla T4 of 7.5");
  EXPECT_EQ(
      no_code_for({.name = "NVIDIA B200", .major = 10, .minor = 0}),
      "attention: expected a build whose CMAKE_CUDA_ARCHITECTURES serve compute capability 10.0, that of "
      "NVIDIA B200, got one without code for it");
  EXPECT_EQ(
      block_memory_too_small({.name = "NVIDIA A10", .major = 8, .minor = 6, .block_bytes = 101376}, 155648),
      "attention: these K and V need 155648 bytes of a block's memory, expected a GPU that has them, got "
      "NVIDIA A10 with 101376");
  EXPECT_EQ(wrong_architecture({.name = "NVIDIA A100", .major = 8, .minor = 0}, 90),
            "attention: architecture must be 0, 80, or 90 on a GPU of compute capability 9.0, got 90 on "
            "NVIDIA A100 of 8.0");
  EXPECT_EQ(wrong_architecture({.name = "NVIDIA H100", .major = 9, .minor = 0}, 90),
            "attention: architecture 90 on NVIDIA H100 expects a build whose CMAKE_CUDA_ARCHITECTURES have "
            "90a, got "
            "one without code for sm_90a");
  EXPECT_EQ(wrong_architecture({.name = "NVIDIA H100", .major = 9, .minor = 0}, 75),
            "attention: architecture must be 0, 80, or 90 on a GPU of compute capability 9.0, got 75 on "
            "NVIDIA H100 of 9.0");
  EXPECT_EQ(no_such_gpu(2, 2), "attention: expected a GPU below 2, got 2");
}

}  // namespace
}  // namespace cosformer::cuda
