#pragma once

#include <cstdint>

namespace cosformer::cuda {

/// A tensor of 16-bit elements [B, T, heads, width] and the boxes of it that are copied at once: `rows`
/// tokens of `columns` elements of a head.
struct TensorBoxes {
  const void* data = nullptr;
  uint64_t sizes[4] = {};    ///< width, heads, T, B
  uint64_t strides[3] = {};  ///< bytes from one to the next of all but the first
  uint32_t columns = 0, rows = 0;
};

}  // namespace cosformer::cuda
