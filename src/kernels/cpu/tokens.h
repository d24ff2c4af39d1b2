#pragma once

#include <vector>

#include "cosformer/attention.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {

/// The tokens of a batch's sequences on one side, queries or keys.
class Tokens {
 public:
  Tokens(const Rows& rows, int64_t B, int64_t T);

  int64_t count(int64_t b) const { return counts_.empty() ? T_ : counts_[static_cast<size_t>(b)]; }
  int64_t longest() const { return longest_; }
  bool padded() const { return rows_.padding != nullptr; }
  /// Rows of each sequence, padding too.
  int64_t all() const { return T_; }
  /// Whether sequences differ in length.
  bool ragged() const { return ragged_; }

  Side side(int64_t b) const {
    Side side;
    side.count = count(b);
    if (!index_.empty()) side.index = index_.data() + b * T_;
    return side;
  }

  /// The first row of sequence b of a tensor, and of a tensor [B, T, heads] without strides.
  template <class T>
  T* first_row(const View<T>& view, int64_t b) const {
    return view.data + (rows_.cu_seqlens ? rows_.cu_seqlens[b] * view.time_stride : b * view.batch_stride);
  }
  int64_t first_line(int64_t b) const { return rows_.cu_seqlens ? rows_.cu_seqlens[b] : b * T_; }

  /// Heads from `head` on of sequence b.
  template <class T>
  Matrix<T> matrix(const View<T>& view, int64_t b, int64_t head) const {
    return {first_row(view, b) + head * view.head_stride, view.time_stride, view.head_stride};
  }

  /// Of rows [first, first + count) of sequence b those that are padding become 0.
  template <class T>
  void clear_padding(const View<T>& view, int64_t b, int64_t first, int64_t count, int64_t heads,
                     int64_t width) const {
    for (int64_t t = first; t < first + count; ++t) {
      if (!rows_.padding[b * rows_.padding_batch_stride + t * rows_.padding_time_stride]) continue;
      for (int64_t h = 0; h < heads; ++h) {
        T* row = view.data + b * view.batch_stride + t * view.time_stride + h * view.head_stride;
        for (int64_t c = 0; c < width; ++c) row[c] = T(0.0F);
      }
    }
  }

 private:
  Rows rows_;
  int64_t T_, longest_ = 0;
  bool ragged_ = false;
  std::vector<int64_t> counts_, index_;
};

}  // namespace cosformer::cpu
