#pragma once

// Copies rows from the caller's memory into dense, padded, transformed buffers of floats.

#include "kernels/cpu/simd.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {
namespace {

inline constexpr int R = static_cast<int>(kBlock);  // rows of a block
inline constexpr int L = R / W;                     // vectors that hold one lane a row

// Half of a block's lanes as one vector, where an instruction set has such vectors.
inline constexpr bool kHasHalfLanes = W >= R / 2;
inline constexpr int kHalfLanes = kHasHalfLanes ? R / 2 : W;
typedef float HalfLanes __attribute__((vector_size(kHalfLanes * 4)));
typedef float UnalignedHalfLanes __attribute__((vector_size(kHalfLanes * 4), aligned(4), may_alias));

COSFORMER_INLINE HalfLanes load_half(const float* p) {
  return *reinterpret_cast<const UnalignedHalfLanes*>(p);
}

#if defined(__AVX512F__)
COSFORMER_INLINE HalfLanes last_half(Vec v) {
  return _mm512_extractf32x8_ps(v, 1);
}
/// Lanes of which the first half is zero.
COSFORMER_INLINE Vec with_last_half(HalfLanes half) {
  return _mm512_insertf32x8(_mm512_setzero_ps(), half, 1);
}
/// The last halves of two vectors in turns: lane 2 i of a, lane 2 i + 1 of b.
COSFORMER_INLINE Vec last_halves_in_turns(Vec a, Vec b) {
  const __m512i from = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return _mm512_permutex2var_ps(a, from, b);
}
/// p[0] and p[1] in turns.
COSFORMER_INLINE Vec two_in_turns(const void* p) {
  double two;
  __builtin_memcpy(&two, p, sizeof(two));
  return _mm512_castpd_ps(_mm512_set1_pd(two));
}
/// Lane i: the sum of lanes 2 i and 2 i + 1.
COSFORMER_INLINE HalfLanes sums_of_two(Vec v) {
  const __m512i from = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14);
  return _mm512_castps512_ps256(_mm512_permutexvar_ps(from, v + _mm512_movehdup_ps(v)));
}
#endif
/// A row of lanes of which the first half is zero.
COSFORMER_INLINE void set_last_half(Vec (&row)[L], HalfLanes half) {
#if defined(__AVX512F__)
  row[0] = with_last_half(half);
#else
  alignas(64) float lanes[R] = {};
  *reinterpret_cast<UnalignedHalfLanes*>(lanes + R / 2) = half;
  for (int l = 0; l < L; ++l) row[l] = load(lanes + l * W);
#endif
}

/// Rows of one head and what is done to them on the way: max(row, floor) * scale.
template <class T>
struct RowSource {
  RowSource(const Matrix<const T>& matrix, const Side& side, int64_t head, bool relu = false,
            const float* scale = nullptr)
      : rows(matrix, side, head), side(side), relu(relu), scale(scale) {}

  HeadRows<const T> rows;
  const Side& side;
  bool relu;
  const float* scale;  ///< by token; null: 1

  const T* row(int64_t r) const { return rows[r]; }
  float scale_of(int64_t r) const { return scale ? scale[side.token(r)] : 1.0F; }
  /// relu is a maximum with 0, nothing one with -infinity; NaN passes both.
  Vec floor() const { return broadcast(relu ? 0.0F : -__builtin_inff()); }
};

COSFORMER_INLINE Vec raised(Vec v, Vec floor) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(0xFFFF, floor, v);
#elif defined(__AVX2__)
  return _mm256_max_ps(floor, v);
#else
  return v < floor ? floor : v;
#endif
}

/// terms[token] of rows [first, first + count), 1 without terms; then zeros up to a multiple of R.
COSFORMER_INLINE void copy_terms(float* target, const float* terms, const Side& side, int64_t first,
                                 int64_t count) {
  const float* start = terms ? terms + side.token(first) : nullptr;
  int64_t r = 0;
  for (; r + R <= count; r += R) {
#pragma GCC unroll 4
    for (int64_t i = r; i < r + R; i += W) {
      store(target + i, !terms           ? broadcast(1.0F)
                        : side.step == 1 ? load(start + i)
                                         : reversed(load(start - i - (W - 1))));
    }
  }
  if (r == count) return;
  for (; r < count; ++r) target[r] = terms ? start[r * side.step] : 1.0F;
  for (; r % R != 0; ++r) target[r] = 0;
}

/// Rows [first, first + count) transposed: target [width][R]; lanes beyond count are zero.
template <class T>
void pack_transposed(float* target, const RowSource<T>& source, int64_t first, int64_t count, int64_t width) {
  const T* rows[R];
  float scale[R];
  for (int r = 0; r < R; ++r) {
    const bool real = r < count;
    rows[r] = source.row(first + (real ? r : 0));
    scale[r] = real ? source.scale_of(first + r) : 0.0F;
  }
  const Vec floor = source.floor();
  const bool scaled = source.scale != nullptr;
  for (int64_t c = 0; c < width; c += W) {
    const int64_t columns = smaller(width - c, W);
    for (int group = 0; group < L; ++group) {
      Vec block[W];
      if (columns == W && count == R) {
#pragma GCC unroll 16
        for (int r = 0; r < W; ++r) block[r] = raised(load(rows[group * W + r] + c), floor);
        if (scaled) {
#pragma GCC unroll 16
          for (int r = 0; r < W; ++r) block[r] *= scale[group * W + r];
        }
      } else {
        alignas(64) float staged[W * W] = {};
        for (int r = 0; r < smaller(W, count - group * W); ++r) {
          const Vec row = load_up_to(rows[group * W + r] + c, columns);
          store(staged + r * W, raised(row, floor) * scale[group * W + r]);
        }
#pragma GCC unroll 16
        for (int r = 0; r < W; ++r) block[r] = load(staged + r * W);
      }
      transpose(block);
      float* out = target + c * R + group * W;
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) {
        if (i < columns) store(out + i * R, block[i]);
      }
    }
  }
}

template <bool kScaled, class T>
COSFORMER_INLINE void pack_row(float* target, const T* in, int64_t width, Vec floor, float scale) {
  int64_t c = 0;
  for (; c + 4 * W <= width; c += 4 * W) {
#pragma GCC unroll 4
    for (int64_t i = c; i < c + 4 * W; i += W) {
      Vec v = raised(load(in + i), floor);
      store(target + i, kScaled ? v * scale : v);
    }
  }
  for (; c < width; c += W) {
    Vec v = raised(load_up_to(in + c, width - c), floor);
    store(target + c, kScaled ? v * scale : v);
  }
}

/// Rows [first, first + count), columns [c_begin, c_end), as target [count][ld], zero beyond the columns.
template <class T>
void pack_rows(float* target, int64_t ld, const RowSource<T>& source, int64_t first, int64_t count,
               int64_t c_begin, int64_t c_end) {
  const int64_t width = c_end - c_begin;
  const Vec floor = source.floor();
  for (int64_t r = 0; r < count; ++r) {
    const T* in = source.row(first + r) + c_begin;
    if (source.scale) {
      pack_row<true>(target + r * ld, in, width, floor, source.scale_of(first + r));
    } else {
      pack_row<false>(target + r * ld, in, width, floor, 1);
    }
  }
}

}  // namespace
}  // namespace cosformer::cpu
