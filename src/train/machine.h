#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

namespace cosformer::train {

/// What the last bits of a run depend on: processor, level (instruction set of the kernels), libtorch,
/// threads.
nlohmann::ordered_json machine_json(int64_t threads);

/// Memory that this process has held at most, in bytes.
int64_t peak_bytes();

}  // namespace cosformer::train
