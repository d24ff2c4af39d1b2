#pragma once

// Vectors of the instruction set that this translation unit is compiled for, through the compiler's vector
// extension: the same source for every set. Everything has internal linkage, since code of one set must never
// serve another.

#include <cstddef>
#include <cstdint>
#include <utility>

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

COSFORMER_INLINE Vec load(const float* p) {
  return *reinterpret_cast<const UnalignedVec*>(p);
}
COSFORMER_INLINE void store(float* p, Vec v) {
  *reinterpret_cast<UnalignedVec*>(p) = v;
}
COSFORMER_INLINE Vec broadcast(float x) {
  return x - Vec{};
}
COSFORMER_INLINE Vec zero() {
  return Vec{};
}

/// relu that keeps NaN.
COSFORMER_INLINE Vec relu(Vec v) {
  return v < zero() ? zero() : v;
}

/// First `count` lanes from memory, the rest zero.
COSFORMER_INLINE Vec load_partial(const float* p, int64_t count) {
  alignas(64) float lanes[W] = {};
  for (int64_t i = 0; i < count; ++i) lanes[i] = p[i];
  return load(lanes);
}

COSFORMER_INLINE void store_partial(float* p, Vec v, int64_t count) {
  alignas(64) float lanes[W];
  store(lanes, v);
  for (int64_t i = 0; i < count; ++i) p[i] = lanes[i];
}

COSFORMER_INLINE IntVec lane_numbers() {
  IntVec numbers{};
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) numbers[i] = i;
  return numbers;
}

COSFORMER_INLINE float sum_lanes(Vec v) {
  float total = 0;
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) total += v[i];
  return total;
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
