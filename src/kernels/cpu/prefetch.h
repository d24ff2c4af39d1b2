#pragma once

// Asks for the next chunk's rows, a few cache lines at a time, while the current chunk is computed: rows of
// one head lie far apart (a stride of all heads), which the processor's own prefetchers do not follow.

#include "kernels/cpu/simd.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {
namespace {

class Prefetch {
 public:
  /// Rows [first, first + count) of a matrix, `width` floats each.
  void add(const float* data, int64_t stride, int64_t first, int64_t count, int64_t width) {
    if (!data || count <= 0 || width <= 0) return;
    blocks_[blocks_used_++] = {data + first * stride, stride, count, width};
    lines_ += count * ((width + kLine - 1) / kLine);
  }

  int64_t lines() const { return lines_; }

  void next(int64_t lines) {
    for (; lines > 0 && block_ < blocks_used_; --lines) {
      const Rows& rows = blocks_[block_];
      __builtin_prefetch(rows.data + row_ * rows.stride + column_, 0, 2);
      column_ += kLine;
      if (column_ < rows.width) continue;
      column_ = 0;
      if (++row_ < rows.count) continue;
      row_ = 0;
      ++block_;
    }
  }

 private:
  static constexpr int64_t kLine = 16;  // floats
  struct Rows {
    const float* data;
    int64_t stride, count, width;
  };
  Rows blocks_[5] = {};
  int blocks_used_ = 0, block_ = 0;
  int64_t row_ = 0, column_ = 0, lines_ = 0;
};

}  // namespace
}  // namespace cosformer::cpu
