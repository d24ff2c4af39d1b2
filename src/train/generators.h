#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "io/safetensors.h"

/// The states of LibTorch's generators among a checkpoint's tensors: generators.cpu and, of a training on a
/// GPU, generators.cuda beside it; U8, a row a rank.
namespace cosformer::train {

std::string generators_name(torch::Device device);

/// Of which a training on `device` keeps the generators: initial weights are drawn on the CPU.
std::vector<torch::Device> generator_devices(torch::Device device);

/// The bytes of all rows; none where a training on another device has left none of this one's.
/// @param place for errors
/// @throws FormatError if they are of another shape or dtype, or those of the CPU are missing
std::string generator_rows(const std::vector<io::TensorBytes>& tensors, torch::Device device,
                           const std::string& place);

/// Sets a device's generator by its row, unless there are not `count` of them.
void set_generator(torch::Device device, const std::string& rows, int64_t row, int64_t count);

}  // namespace cosformer::train
