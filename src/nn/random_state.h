#pragma once

#include <torch/types.h>

namespace cosformer::nn {

/// A copy of the state of LibTorch's global generator on the CPU, 5 kB.
torch::Tensor random_state();
void set_random_state(const torch::Tensor& state);

}  // namespace cosformer::nn
