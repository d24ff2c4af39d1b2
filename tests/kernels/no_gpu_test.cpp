// What a GPU's functions say where there is no GPU, or this build has no kernels for one.

#include <gtest/gtest.h>

#include <cstdlib>

#include "cosformer/cuda.h"

namespace cosformer::test {
namespace {

std::string message_of_a_call() {
  float number = 1, output = 0;
  AttentionForward<float> args{.shape = {1, 1, 1, 1, 1, 1, 1}, .options = {.causal = true}};
  args.query = args.key = args.value = {&number, 1, 1, 1};
  args.output = {&output, 1, 1, 1};
  try {
    cuda::attention_forward(args);
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "";
}

TEST(NoGpu, IsSaidInOneLine) {
  if (!cuda::is_built()) {
    EXPECT_EQ(message_of_a_call(),
              "attention: this build has no CUDA kernels, expected one configured with COSFORMER_CUDA=ON");
    return;
  }
  if (cuda::is_available()) GTEST_SKIP() << "there is a GPU";
  EXPECT_EQ(message_of_a_call().rfind("attention: no GPU: ", 0), 0) << message_of_a_call();
}

TEST(NoGpu, AnOldDriverIsNamed) {
  if (!std::getenv("COSFORMER_TEST_OLD_DRIVER")) GTEST_SKIP() << "the driver is not old_driver.cpp's";
  EXPECT_FALSE(cuda::is_available());
  EXPECT_EQ(message_of_a_call(),
            "attention: no GPU: expected NVIDIA's driver for CUDA 13.0 or later, got one for CUDA 12.8");
}

}  // namespace
}  // namespace cosformer::test
