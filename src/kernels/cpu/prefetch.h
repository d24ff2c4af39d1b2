#pragma once

// Asks for the next chunk's rows, a few at a time, while the current chunk is computed: rows of one head lie
// far apart (a stride of all heads), which the processor's own prefetchers do not follow.

#include "kernels/cpu/simd.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {
namespace {

class Prefetch {
 public:
  /// Rows [first, first + count) of a head's matrix, `width` numbers each from column `begin` on. Rows beyond
  /// what the list holds are left to the processor.
  template <class T>
  void add(const Matrix<T>& matrix, const Side& side, int64_t head, int64_t first, int64_t count,
           int64_t begin, int64_t width) {
    if (!matrix.data || width <= 0) return;
    for (int64_t r = 0; r < count && used_ < kMost; ++r) {
      rows_[used_] = reinterpret_cast<const char*>(matrix.line(head, side.line(first + r)) + begin);
      bytes_[used_++] = static_cast<int32_t>(width * static_cast<int64_t>(sizeof(T)));
    }
  }

  int64_t rows() const { return used_; }

  void next(int64_t rows) {
    const int64_t end = smaller(used_, at_ + rows);
    for (; at_ < end; ++at_) {
      for (int32_t byte = 0; byte < bytes_[at_]; byte += 64) __builtin_prefetch(rows_[at_] + byte, 0, 2);
    }
  }

 private:
  static constexpr int64_t kMost = 256;
  const char* rows_[kMost];
  int32_t bytes_[kMost];
  int64_t used_ = 0, at_ = 0;
};

}  // namespace
}  // namespace cosformer::cpu
