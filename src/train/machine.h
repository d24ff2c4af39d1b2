#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "train/recipe.h"

namespace cosformer::train {

/// What the last bits of a run depend on: processor, level (instruction set of the kernels), libtorch,
/// threads, device.
nlohmann::ordered_json machine_json(const Recipe& recipe);

/// Memory that this process has held at most, in bytes.
int64_t peak_bytes();

}  // namespace cosformer::train
