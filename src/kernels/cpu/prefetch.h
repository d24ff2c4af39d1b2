#pragma once

// Asks for the next chunk's rows, a few at a time, while the current chunk is computed: rows of one head lie
// far apart (a stride of all heads), which the processor's own prefetchers do not follow.

#include "kernels/cpu/simd.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {
namespace {

class Prefetch {
 public:
  /// Rows [first, first + count) of a head's matrix, `width` numbers each from column `begin` on. What the
  /// list cannot hold is left to the processor.
  template <class T>
  void add(const Matrix<T>& matrix, const Side& side, int64_t head, int64_t first, int64_t count,
           int64_t begin, int64_t width) {
    if (!matrix.data || width <= 0) return;
    while (lines_ < kWindow && lines_ * kLine < width * static_cast<int64_t>(sizeof(T))) lines_ *= 2;
    count = smaller(count, kMost - used_);
    list(rows_ + used_, HeadRows<T>(matrix, side, head), first, count, begin);
    used_ += count;
  }

  /// Rows that are written without being read: nothing but their pages is wanted.
  template <class T>
  void add_pages(const Matrix<T>& matrix, const Side& side, int64_t head, int64_t first, int64_t count,
                 int64_t begin) {
    if (!matrix.data) return;
    count = smaller(count, kMostPages - used_pages_);
    list(pages_ + used_pages_, HeadRows<T>(matrix, side, head), first, count, begin);
    used_pages_ += count;
  }

  /// Spreads the rows over that many tiles, each of which asks for a line that many times.
  void spread(int64_t tiles, int64_t times) {
    while (window_ < kWindow && window_ * 2 <= times) window_ *= 2;
    // Rows of a tile, no more than its lines can cover.
    const int64_t most = window_ > lines_ ? window_ / lines_ : 1;
    a_tile_ = smaller((used_ + tiles - 1) / tiles, most);
    shift_ = __builtin_ctzll(static_cast<uint64_t>(lines_));
    for (int64_t i = 0; i < kWindow; ++i) rows_[used_ + i] = reinterpret_cast<const char*>(rows_);
  }

  /// A line of each row at once: their pages are looked up side by side. One by one, a lookup that misses
  /// the second-level TLB holds up what follows it.
  void touch_pages() const {
    for (int64_t i = 0; i < used_; ++i) __builtin_prefetch(rows_[i], 0, 3);
    for (int64_t i = 0; i < used_pages_; ++i) __builtin_prefetch(pages_[i], 0, 3);
  }

  void next_tile() {
    now_ = rows_ + at_;
    at_ = smaller(at_ + a_tile_, used_);
  }

  /// Line j of the tile's, one an iteration, since a burst is dropped; into the second-level cache, since the
  /// first is full.
  COSFORMER_INLINE void line(int64_t j) const {
    __builtin_prefetch(now_[(j & (window_ - 1)) >> shift_] + (j & (lines_ - 1)) * kLine, 0, 2);
  }

 private:
  static constexpr int64_t kMost = 768, kMostPages = 256, kWindow = 64, kLine = 64;

  typedef uint64_t Addresses __attribute__((vector_size(W * 4), aligned(8), may_alias));
  static constexpr int64_t kAddresses = W / 2;

  /// Some addresses more than `count` may be written.
  template <class T>
  static void list(const char** addresses, const HeadRows<T>& rows, int64_t first, int64_t count,
                   int64_t begin) {
    // Unsigned: the stride of a single row may be any number.
    const uint64_t stride = static_cast<uint64_t>(rows.stride()) * sizeof(T);
    if (stride == 0) {
      for (int64_t r = 0; r < count; ++r)
        addresses[r] = reinterpret_cast<const char*>(rows[first + r] + begin);
      return;
    }
    Addresses next{};
    for (int64_t i = 0; i < kAddresses; ++i) next[i] = static_cast<uint64_t>(i) * stride;
    next += reinterpret_cast<uint64_t>(rows[first] + begin);
    for (int64_t r = 0; r < count; r += kAddresses, next += kAddresses * stride) {
      *reinterpret_cast<Addresses*>(addresses + r) = next;
    }
  }

  const char* rows_[kMost + kWindow];
  const char* pages_[kMostPages + kAddresses];
  const char* const* now_ = rows_;
  int64_t used_ = 0, used_pages_ = 0, at_ = 0, a_tile_ = 0;
  int64_t window_ = 16, lines_ = 1, shift_ = 0;  // lines of a tile and of a row, powers of two
};

}  // namespace
}  // namespace cosformer::cpu
