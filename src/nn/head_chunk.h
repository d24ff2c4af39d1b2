#pragma once

#include <algorithm>
#include <cstdint>

namespace cosformer::nn {

/// How many of N rows' logits exist at a time: two buffers of 8 MiB in float32, which the last-level cache
/// holds; on a GPU of 128 MiB, since each chunk costs a dozen launches. Fewer than 64 rows waste time on
/// reading the weights again.
inline int64_t head_chunk_rows(int64_t rows, int64_t vocabulary_size, bool on_gpu = false) {
  const int64_t numbers = int64_t{1} << (on_gpu ? 25 : 21);
  return std::min(rows, std::max<int64_t>(64, numbers / vocabulary_size));
}

}  // namespace cosformer::nn
