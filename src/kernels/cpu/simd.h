#pragma once

// Vectors of the instruction set that this translation unit is compiled for, through the compiler's vector
// extension: the same source for every set. Everything has internal linkage, since code of one set must never
// serve another.

#include <cstddef>
#include <cstdint>
#include <utility>

#include "cosformer/bfloat16.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace cosformer::cpu {
namespace {

#if defined(__AVX512F__)
inline constexpr int W = 16;  // lanes of a vector
#elif defined(__AVX2__)
inline constexpr int W = 8;
#else
inline constexpr int W = 4;
#endif

#define COSFORMER_INLINE [[gnu::always_inline]] inline

typedef float Vec __attribute__((vector_size(W * 4)));
typedef float UnalignedVec __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef int32_t IntVec __attribute__((vector_size(W * 4)));
typedef uint32_t BitsVec __attribute__((vector_size(W * 4)));
typedef uint16_t HalfVec __attribute__((vector_size(W * 2)));
typedef uint16_t UnalignedHalfVec __attribute__((vector_size(W * 2), aligned(2), may_alias));

COSFORMER_INLINE Vec broadcast(float x) {
  return x - Vec{};
}
COSFORMER_INLINE Vec zero() {
  return Vec{};
}

// GCC 12 makes seven instructions of a __builtin_convertvector between these two.
COSFORMER_INLINE BitsVec zero_extended(HalfVec half) {
#if defined(__AVX512F__)
  return reinterpret_cast<BitsVec>(_mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(half)));
#elif defined(__AVX2__)
  return reinterpret_cast<BitsVec>(_mm256_cvtepu16_epi32(reinterpret_cast<__m128i>(half)));
#else
  return __builtin_convertvector(half, BitsVec);
#endif
}
COSFORMER_INLINE HalfVec lower_halves(BitsVec bits) {
#if defined(__AVX512F__)
  return reinterpret_cast<HalfVec>(_mm512_cvtepi32_epi16(reinterpret_cast<__m512i>(bits)));
#else
  return __builtin_convertvector(bits, HalfVec);
#endif
}

COSFORMER_INLINE Vec widen(HalfVec half) {
  return reinterpret_cast<Vec>(zero_extended(half) << 16);
}

/// Rounds to nearest, ties to even; NaN stays NaN.
COSFORMER_INLINE HalfVec narrow(Vec v) {
#if defined(__AVX512BF16__)
  return reinterpret_cast<HalfVec>(_mm512_cvtneps_pbh(v));
#else
  const BitsVec bits = reinterpret_cast<BitsVec>(v);
  const BitsVec rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  const BitsVec is_nan = reinterpret_cast<BitsVec>(v != v);
  return lower_halves((is_nan & ((bits >> 16) | 0x40U)) | (~is_nan & rounded));
#endif
}

COSFORMER_INLINE Vec load(const float* p) {
  return *reinterpret_cast<const UnalignedVec*>(p);
}
COSFORMER_INLINE void store(float* p, Vec v) {
  *reinterpret_cast<UnalignedVec*>(p) = v;
}
COSFORMER_INLINE Vec load(const bfloat16* p) {
  return widen(*reinterpret_cast<const UnalignedHalfVec*>(p));
}
COSFORMER_INLINE void store(bfloat16* p, Vec v) {
  *reinterpret_cast<UnalignedHalfVec*>(p) = narrow(v);
}

/// Past the caches, to memory aligned to a vector: the line is not read first. finish_streams() makes it seen
/// by other threads.
COSFORMER_INLINE void stream(float* p, Vec v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, v);
#elif defined(__AVX2__)
  _mm256_stream_ps(p, v);
#else
  store(p, v);
#endif
}
COSFORMER_INLINE void stream(bfloat16* p, Vec v) {
#if defined(__AVX512F__)
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), reinterpret_cast<__m256i>(narrow(v)));
#elif defined(__AVX2__)
  _mm_stream_si128(reinterpret_cast<__m128i*>(p), reinterpret_cast<__m128i>(narrow(v)));
#else
  store(p, v);
#endif
}
COSFORMER_INLINE void finish_streams() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}

/// Loaded once for several uses: compilers would make it a memory operand of each, and two loads a cycle are
/// fewer than that takes.
COSFORMER_INLINE Vec load_shared(const float* p) {
  Vec v = load(p);
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__AVX2__)
  asm("" : "+x"(v));
#endif
  return v;
}

/// relu that keeps NaN.
COSFORMER_INLINE Vec relu(Vec v) {
  return v < zero() ? zero() : v;
}
COSFORMER_INLINE float relu(float x) {
  return x < 0 ? 0.0F : x;
}

COSFORMER_INLINE IntVec lane_numbers() {
  IntVec numbers{};
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) numbers[i] = i;
  return numbers;
}

/// First `count` lanes from memory, 0 < count < W, the rest zero; nothing beyond them is read.
COSFORMER_INLINE Vec load_partial(const float* p, int64_t count) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), p);
#elif defined(__AVX2__)
  return _mm256_maskload_ps(p, reinterpret_cast<__m256i>(lane_numbers() < static_cast<int32_t>(count)));
#else
  alignas(64) float lanes[W] = {};
  for (int64_t i = 0; i < count; ++i) lanes[i] = p[i];
  return load(lanes);
#endif
}

COSFORMER_INLINE void store_partial(float* p, Vec v, int64_t count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << count) - 1), v);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(p, reinterpret_cast<__m256i>(lane_numbers() < static_cast<int32_t>(count)), v);
#else
  alignas(64) float lanes[W];
  store(lanes, v);
  for (int64_t i = 0; i < count; ++i) p[i] = lanes[i];
#endif
}

COSFORMER_INLINE Vec load_partial(const bfloat16* p, int64_t count) {
  alignas(64) bfloat16 lanes[W] = {};
  for (int64_t i = 0; i < count; ++i) lanes[i] = p[i];
  return load(lanes);
}

COSFORMER_INLINE void store_partial(bfloat16* p, Vec v, int64_t count) {
  alignas(64) bfloat16 lanes[W];
  store(lanes, v);
  for (int64_t i = 0; i < count; ++i) p[i] = lanes[i];
}

/// The first min(count, W) lanes.
template <class T>
COSFORMER_INLINE Vec load_up_to(const T* p, int64_t count) {
  return count >= W ? load(p) : load_partial(p, count);
}
template <class T>
COSFORMER_INLINE void store_up_to(T* p, Vec v, int64_t count) {
  if (count >= W) {
    store(p, v);
  } else {
    store_partial(p, v, count);
  }
}

template <std::size_t... C>
COSFORMER_INLINE Vec reversed(Vec v, std::index_sequence<C...>) {
  return __builtin_shufflevector(v, v, (W - 1 - C)...);
}
COSFORMER_INLINE Vec reversed(Vec v) {
  return reversed(v, std::make_index_sequence<W>());
}

/// Every lane plus the one S further: one of log2(W) steps of a sum.
template <int S, std::size_t... C>
COSFORMER_INLINE Vec fold(Vec v, std::index_sequence<C...>) {
  return v + __builtin_shufflevector(v, v, (C ^ S)...);
}

COSFORMER_INLINE float sum_lanes(Vec v) {
  constexpr auto kLanes = std::make_index_sequence<W>();
  if constexpr (W >= 16) v = fold<8>(v, kLanes);
  if constexpr (W >= 8) v = fold<4>(v, kLanes);
  v = fold<2>(v, kLanes);
  return fold<1>(v, kLanes)[0];
}

/// Swaps the S x S blocks off the diagonal of two rows S apart: one of log2(W) steps of a transpose.
template <int S, std::size_t... C>
COSFORMER_INLINE void swap_blocks(Vec& a, Vec& b, std::index_sequence<C...>) {
  const Vec low = __builtin_shufflevector(a, b, ((C & S) == 0 ? C : W + C - S)...);
  b = __builtin_shufflevector(a, b, ((C & S) == 0 ? C + S : W + C)...);
  a = low;
}

template <int S>
COSFORMER_INLINE void transpose_step(Vec (&rows)[W]) {
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) {
    if ((i & S) == 0) swap_blocks<S>(rows[i], rows[i + S], std::make_index_sequence<W>());
  }
}

COSFORMER_INLINE void transpose(Vec (&rows)[W]) {
  if constexpr (W >= 16) transpose_step<8>(rows);
  if constexpr (W >= 8) transpose_step<4>(rows);
  transpose_step<2>(rows);
  transpose_step<1>(rows);
}

COSFORMER_INLINE int64_t round_up(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}
COSFORMER_INLINE int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

}  // namespace
}  // namespace cosformer::cpu
