#include "kernels/cpu/tokens.h"

#include <algorithm>

namespace cosformer::cpu {

Tokens::Tokens(const Rows& rows, int64_t B, int64_t T) : rows_(rows), T_(T), longest_(B > 0 ? T : 0) {
  if (!rows.padding && !rows.cu_seqlens) return;
  if (rows.padding) index_.resize(static_cast<size_t>(B * T));
  for (int64_t b = 0; b < B; ++b) {
    int64_t count = 0;
    if (rows.cu_seqlens) {
      count = rows.cu_seqlens[b + 1] - rows.cu_seqlens[b];
    } else {
      for (int64_t t = 0; t < T; ++t) {
        const bool padded = rows.padding[b * rows.padding_batch_stride + t * rows.padding_time_stride];
        if (!padded) index_[static_cast<size_t>(b * T + count++)] = t;
      }
    }
    counts_.push_back(count);
  }
  if (counts_.empty()) return;
  const auto [least, most] = std::minmax_element(counts_.begin(), counts_.end());
  longest_ = *most;
  ragged_ = *least != *most;
}

}  // namespace cosformer::cpu
