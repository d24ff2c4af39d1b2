#pragma once

#include <type_traits>

#include "kernels/cuda/tile_product.h"

// Sums, weights and gradients in float may exceed what T holds, where they become factors of products. Then
// they are multiplied by a power of two that leaves the largest finite, and the products by its reciprocal:
// the same bits, but of factors 2^-28 times as large as the largest. Only float16 is that narrow.

namespace cosformer::cuda {

template <class T>
inline constexpr bool kNarrow = std::is_same_v<T, float16>;

/// Of factors that are scaled alike, and how large the largest finite one is, not scaled.
struct Scale {
  float down = 1, up = 1, largest = 0;

  COSFORMER_DEVICE bool overflows() const {
    constexpr float kLeastInfinite = 65520;  // rounded to float16
    return largest * down >= kLeastInfinite;
  }
  COSFORMER_DEVICE void lessen() {
    down *= 0.25F;
    up *= 4;
  }
  template <class T>
  COSFORMER_DEVICE void see(float x, T) {
    if constexpr (!kNarrow<T>) return;
    constexpr float kMost = 0x1.FFFFFEp127F;
    const float size = __builtin_fabsf(x);
    if (size > largest && size <= kMost) largest = size;
  }
  template <class T>
  COSFORMER_DEVICE float scaled(float x, T) {
    see(x, T{});
    return kNarrow<T> ? x * down : x;
  }

  /// Of a fragment's row, which four lanes have.
  COSFORMER_DEVICE void see_row() {
    largest = at_least(largest, of_lane_xor(largest, 1));
    largest = at_least(largest, of_lane_xor(largest, 2));
  }
  COSFORMER_DEVICE void fit() {
    while (overflows()) lessen();
  }
  /// To the block's factors. Returns whether one overflowed.
  COSFORMER_DEVICE bool fit_block() {
    while (any(overflows())) lessen();
    return down != 1;
  }
};

// As without a scale.
template <class T>
COSFORMER_DEVICE void narrow(float x, Scale& scale, T& to) {
  narrow(scale.scaled(x, T{}), to);
}
template <class T>
COSFORMER_DEVICE uint32_t narrow_pair(float first, float second, Scale& scale, T) {
  return narrow_pair(scale.scaled(first, T{}), scale.scaled(second, T{}), T{});
}
template <class T>
COSFORMER_DEVICE void put_pair(T* to, float first, float second, Scale& scale) {
  put_pair(to, scale.scaled(first, T{}), scale.scaled(second, T{}));
}

}  // namespace cosformer::cuda
