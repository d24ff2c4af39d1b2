#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>

namespace cosformer::cli {

/// Operations a second of LibTorch's product of two square matrices, the best of a few: what the products of
/// a step may reach on a device. Of float32 in the precision that LibTorch is set to.
double product_peak(c10::Device device, c10::ScalarType type, int64_t size);

}  // namespace cosformer::cli
