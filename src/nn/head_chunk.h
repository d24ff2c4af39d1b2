#pragma once

#include <algorithm>
#include <cstdint>

namespace cosformer::nn {

/// How many of N rows' logits exist at a time: two buffers of 8 MiB in float32, which the last-level cache
/// holds. Fewer than 64 rows waste time on reading the weights again.
inline int64_t head_chunk_rows(int64_t rows, int64_t vocabulary_size) {
  return std::min(rows, std::max<int64_t>(64, (int64_t{1} << 21) / vocabulary_size));
}

}  // namespace cosformer::nn
