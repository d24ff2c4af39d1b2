#pragma once

// Copies rows from the caller's memory into dense, padded, transformed buffers.

#include "kernels/cpu/simd.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {
namespace {

inline constexpr int R = static_cast<int>(kBlock);  // rows of a block
inline constexpr int L = R / W;                     // vectors that hold one lane a row

COSFORMER_INLINE Vec load_transformed(const float* p, int64_t count, bool use_relu, float scale) {
  Vec v = count >= W ? load(p) : load_partial(p, count);
  if (use_relu) v = relu(v);
  return v * scale;
}

COSFORMER_INLINE float scale_of(const Rows& rows, int64_t r) {
  return rows.scale ? rows.scale[r * rows.step] : 1.0F;
}
COSFORMER_INLINE float extra_of(const Rows& rows, int64_t r) {
  return rows.extra[r * rows.extra_step];
}

/// Rows [first, first + count) transposed: target [width (+1)][R]; lanes beyond count are zero.
void pack_transposed(float* target, const Rows& rows, int64_t first, int64_t count, int64_t width) {
  for (int64_t c = 0; c < width; c += W) {
    const int64_t columns = smaller(width - c, W);
    for (int group = 0; group < L; ++group) {
      Vec block[W];
#pragma GCC unroll 16
      for (int r = 0; r < W; ++r) {
        const int64_t row = group * W + r;
        block[r] = row < count ? load_transformed(rows.data + (first + row) * rows.stride + c, columns,
                                                  rows.relu, scale_of(rows, first + row))
                               : zero();
      }
      transpose(block);
      float* out = target + c * R + group * W;
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) {
        if (i < columns) store(out + i * R, block[i]);
      }
    }
  }
  if (rows.extra) {
    for (int64_t r = 0; r < R; ++r) target[width * R + r] = r < count ? extra_of(rows, first + r) : 0.0F;
  }
}

/// Rows [first, first + count), columns [c_begin, c_end) and the extra column, as target [padded_count][ld],
/// zero beyond.
void pack_rows(float* target, int64_t ld, const Rows& rows, int64_t first, int64_t count,
               int64_t padded_count, int64_t c_begin, int64_t c_end) {
  const int64_t width = c_end - c_begin;
  for (int64_t r = 0; r < padded_count; ++r) {
    float* out = target + r * ld;
    if (r >= count) {
      for (int64_t c = 0; c < ld; c += W) store(out + c, zero());
      continue;
    }
    const float* in = rows.data + (first + r) * rows.stride + c_begin;
    const float scale = scale_of(rows, first + r);
    for (int64_t c = 0; c < ld; c += W) {
      store(out + c, c < width ? load_transformed(in + c, width - c, rows.relu, scale) : zero());
    }
    if (rows.extra) out[width] = extra_of(rows, first + r);
  }
}

/// target [count][ld] = source [count][ld], row r times factor[r * step].
void scale_rows(float* target, const float* source, int64_t ld, int64_t count, const float* factor,
                int64_t step) {
  for (int64_t r = 0; r < count; ++r) {
    const float f = factor[r * step];
    for (int64_t c = 0; c < ld; c += W) store(target + r * ld + c, load(source + r * ld + c) * f);
  }
}

}  // namespace
}  // namespace cosformer::cpu
