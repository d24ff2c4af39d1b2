#pragma once

#include <torch/types.h>

namespace cosformer::nn {

/// A copy of the state of LibTorch's global generator of a device, in the host's memory: 5 kB of the CPU's,
/// 16 bytes of a GPU's. What is drawn on a device comes from its own generator.
torch::Tensor random_state(torch::Device device = torch::kCPU);
void set_random_state(const torch::Tensor& state, torch::Device device = torch::kCPU);

}  // namespace cosformer::nn
