#pragma once

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "io/safetensors.h"

namespace cosformer::train {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

/// The tensors as a file has them. They share memory, the host's: float32, int64 or uint8, contiguous.
std::vector<io::TensorBytes> to_bytes(const NamedTensors& tensors);

/// Tensors of their own memory, the host's.
NamedTensors copy_of(const NamedTensors& tensors);

/// The tensors where they are in the host's memory, else copies there.
NamedTensors on_host(const NamedTensors& tensors);

/// Those whose names begin with `prefix`, without it.
NamedTensors with_prefix(const NamedTensors& tensors, const std::string& prefix);

/// Overwrites each tensor, on whatever device, with the one of its name.
/// @param place for errors
/// @throws FormatError naming the first tensor that is missing or of another shape or dtype; nothing is
/// changed then
void copy_from(const std::vector<io::TensorBytes>& stored, const NamedTensors& tensors,
               const std::string& place);

}  // namespace cosformer::train
