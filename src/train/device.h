#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace cosformer::train {

/// The device of this process, of a kind that train.device names, made ready for it: where it is a GPU, it is
/// the current one of this thread, and products on it give the same bits each time.
/// @param name  "cpu" or "cuda"
/// @param index of the GPU among those that the process sees
/// @throws DeviceError if this build has no CUDA, or there is no such GPU
c10::Device open_device(const std::string& name, int64_t index = 0);

}  // namespace cosformer::train
