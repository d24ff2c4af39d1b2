#pragma once

// Rows of bfloat16 in pairs, as the dot product of bfloat16 pairs (AVX512_BF16) wants them: a pair is one
// 32-bit lane.

#include "kernels/cpu/pack.h"

#if defined(__AVX512BF16__)

namespace cosformer::cpu {
namespace {

typedef uint32_t Pair __attribute__((may_alias));  // first in the lower half
typedef __m512i Halves;                            // 32 bfloat16

inline constexpr int64_t kHalves = 32;

COSFORMER_INLINE Halves load_halves(const bfloat16* p, int64_t count) {
  if (count >= kHalves) return _mm512_loadu_si512(p);
  return _mm512_maskz_loadu_epi16(static_cast<__mmask32>((uint64_t{1} << count) - 1), p);
}
COSFORMER_INLINE void store_halves(void* p, Halves v) {
  _mm512_storeu_si512(p, v);
}

/// relu that keeps NaN, negative ones too: as unsigned numbers, 0x8000 to 0xFF80 are -0 to -infinity.
COSFORMER_INLINE Halves relu(Halves v) {
  const Halves from_minus_zero = _mm512_sub_epi16(v, _mm512_set1_epi16(static_cast<int16_t>(0x8000)));
  return _mm512_maskz_mov_epi16(_mm512_cmpgt_epu16_mask(from_minus_zero, _mm512_set1_epi16(0x7F80)), v);
}

/// Lanes of v where those of `gate` are positive or NaN, else 0.
COSFORMER_INLINE Halves where_positive(Halves v, Halves gate) {
  const __mmask32 negative_nan_or_more = _mm512_cmpgt_epi16_mask(gate, _mm512_set1_epi16(-128));
  return _mm512_maskz_mov_epi16(_mm512_mask_test_epi16_mask(negative_nan_or_more, gate, gate), v);
}

COSFORMER_INLINE Vec low_half(Halves v) {
  return widen(reinterpret_cast<HalfVec>(_mm512_castsi512_si256(v)));
}
COSFORMER_INLINE Vec high_half(Halves v) {
  return widen(reinterpret_cast<HalfVec>(_mm512_extracti64x4_epi64(v, 1)));
}
/// low, then high, each rounded once.
COSFORMER_INLINE Halves narrow(Vec low, Vec high) {
  return reinterpret_cast<Halves>(_mm512_cvtne2ps_pbh(high, low));
}

/// The first and the second of each pair, as floats.
COSFORMER_INLINE Vec first_of(Halves pairs) {
  return reinterpret_cast<Vec>(_mm512_slli_epi32(pairs, 16));
}
COSFORMER_INLINE Vec second_of(Halves pairs) {
  return reinterpret_cast<Vec>(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xFFFF0000U))));
}

/// Where lane l of an interleaving comes from: l, then 16 + l of one vector of halves, or l of two.
struct Interleave {
  Halves one, low, high;

  Interleave() {
    alignas(64) uint16_t of_one[32], of_low[32], of_high[32];
    for (uint16_t l = 0; l < 16; ++l) {
      of_one[2 * l] = of_low[2 * l] = l;
      of_one[2 * l + 1] = static_cast<uint16_t>(16 + l);
      of_low[2 * l + 1] = static_cast<uint16_t>(32 + l);
      of_high[2 * l] = static_cast<uint16_t>(16 + l);
      of_high[2 * l + 1] = static_cast<uint16_t>(48 + l);
    }
    one = _mm512_load_si512(of_one);
    low = _mm512_load_si512(of_low);
    high = _mm512_load_si512(of_high);
  }
  /// Pairs (low half, high half).
  COSFORMER_INLINE Halves halves(Halves v) const { return _mm512_permutexvar_epi16(one, v); }
  /// Pairs (a, b) of the first, of the last 16 columns.
  COSFORMER_INLINE Halves lower(Halves a, Halves b) const { return _mm512_permutex2var_epi16(a, low, b); }
  COSFORMER_INLINE Halves upper(Halves a, Halves b) const { return _mm512_permutex2var_epi16(a, high, b); }
  /// Pairs (a, b) of 16 floats each, rounded once.
  COSFORMER_INLINE Halves floats(Vec a, Vec b) const { return halves(narrow(a, b)); }
};

/// 32 columns of a row, raised and scaled as RowSource says.
template <bool kRelu, bool kScaled>
COSFORMER_INLINE Halves load_transformed(const bfloat16* p, int64_t count, float scale) {
  Halves v = load_halves(p, count);
  if constexpr (kRelu) v = relu(v);
  if constexpr (kScaled) v = narrow(low_half(v) * scale, high_half(v) * scale);
  return v;
}

/// visit<relu, scaled>(), so that loops over rows need not ask.
template <class Visit>
COSFORMER_INLINE void as_transformed(const RowSource<bfloat16>& source, const Visit& visit) {
  if (source.relu) {
    source.scale ? visit.template operator()<true, true>() : visit.template operator()<true, false>();
  } else {
    source.scale ? visit.template operator()<false, true>() : visit.template operator()<false, false>();
  }
}

/// Rows [first, first + count) transposed: target [width / 2][R] pairs of columns; lanes beyond count are
/// zero.
inline void pack_pairs_transposed(Pair* target, const RowSource<bfloat16>& source, int64_t first,
                                  int64_t count, int64_t width) {
  const bfloat16* rows[R];
  float scale[R];
  for (int64_t r = 0; r < R; ++r) {
    rows[r] = source.row(first + (r < count ? r : 0));
    scale[r] = r < count ? source.scale_of(first + r) : 0.0F;
  }
  as_transformed(source, [&]<bool kRelu, bool kScaled>() {
    for (int64_t c = 0; c < width; c += kHalves) {
      Vec block[W];
      const bool whole = count == R && c + kHalves <= width;
#pragma GCC unroll 16
      for (int r = 0; r < W; ++r) {
        const int64_t columns = whole ? kHalves : width - c;
        block[r] =
            whole || r < count
                ? reinterpret_cast<Vec>(load_transformed<kRelu, kScaled>(rows[r] + c, columns, scale[r]))
                : zero();
      }
      transpose(block);
      Pair* out = target + c / 2 * R;
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) {
        if (whole || c + 2 * i < width) store_halves(out + i * R, reinterpret_cast<Halves>(block[i]));
      }
    }
  });
}

}  // namespace
}  // namespace cosformer::cpu

#endif
