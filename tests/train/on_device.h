#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cosformer/cuda.h"

namespace cosformer::train::test {

/// Values of train.device that tests run with: the CPU and, in builds with CUDA, a GPU.
inline std::vector<std::string> devices() {
  if (cuda::is_built()) return {"cpu", "cuda"};
  return {"cpu"};
}

inline bool is_missing(const std::string& device) {
  return device == "cuda" && !cuda::is_available();
}

}  // namespace cosformer::train::test
