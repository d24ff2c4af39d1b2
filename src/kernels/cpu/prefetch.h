#pragma once

// Asks for the next chunk's rows, a few at a time, while the current chunk is computed: rows of one head lie
// far apart (a stride of all heads), which the processor's own prefetchers do not follow.

#include "kernels/cpu/simd.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {
namespace {

class Prefetch {
 public:
  /// Lines of rows [first, first + count) of a head's matrix, `width` numbers each from column `begin` on. What the list
  /// cannot hold is left to the processor.
  template <class T>
  void add(const Matrix<T>& matrix, const Side& side, int64_t head, int64_t first, int64_t count, int64_t begin,
           int64_t width) {
    if (!matrix.data || width <= 0) return;
    const int64_t bytes = width * static_cast<int64_t>(sizeof(T));
    for (int64_t r = 0; r < count && used_ + (bytes + 63) / 64 <= kMost; ++r) {
      const char* row = reinterpret_cast<const char*>(matrix.line(head, side.line(first + r)) + begin);
      for (int64_t byte = 0; byte < bytes; byte += 64) lines_[used_++] = row + byte;
    }
  }

  /// Spreads the lines evenly over that many tiles.
  void spread(int64_t tiles) {
    a_tile_ = (used_ + tiles - 1) / tiles;
    for (int64_t i = 0; i < kWindow; ++i) lines_[used_ + i] = reinterpret_cast<const char*>(lines_);
  }

  /// The lines that the next tile asks for, kWindow of them, one an iteration: a burst would be dropped.
  const char* const* next_tile() {
    const char* const* window = lines_ + at_;
    at_ = smaller(at_ + a_tile_, used_);
    return window;
  }

  static constexpr int64_t kWindow = 16;

 private:
  static constexpr int64_t kMost = 1024;
  const char* lines_[kMost + kWindow];
  int64_t used_ = 0, at_ = 0, a_tile_ = 0;
};

}  // namespace
}  // namespace cosformer::cpu
