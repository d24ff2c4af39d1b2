#pragma once

// Intel's matrix tiles: 16 rows of 64 bytes, products of bfloat16 pairs summed in float. A tile's number is
// known when this is compiled. With COSFORMER_EMULATE_AMX plain loops do the same, so that the kernels can be
// tested where there are none.

#include "kernels/cpu/dot_tiles.h"

#if defined(COSFORMER_AMX)

#include <cstring>

namespace cosformer::cpu {
namespace {

// Which tile is what. C [16 rows][16 floats]; A [16 rows][16 pairs] and B [16 pairs][16 columns]; the half
// ones hold 8 pairs.
inline constexpr int kTileC = 0, kTileA = 4, kTileB = 5, kTileHalfA = 6, kTileHalfB = 7;

struct TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 32, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 8};
};
inline constexpr TileConfig kTileConfig;

#if defined(COSFORMER_EMULATE_AMX)

struct EmulatedTiles {
  uint32_t lanes[8][16][16];
};
inline thread_local EmulatedTiles emulated;

COSFORMER_INLINE void tiles_begin() {}
COSFORMER_INLINE void tiles_end() {}
template <int kTile>
COSFORMER_INLINE void tile_zero() {
  std::memset(emulated.lanes[kTile], 0, sizeof emulated.lanes[kTile]);
}
template <int kTile>
COSFORMER_INLINE void tile_load(const void* base, int64_t stride) {
  for (int r = 0; r < kTileConfig.rows[kTile]; ++r) {
    std::memcpy(emulated.lanes[kTile][r], static_cast<const char*>(base) + r * stride,
                kTileConfig.row_bytes[kTile]);
  }
}
template <int kTile>
COSFORMER_INLINE void tile_store(void* base, int64_t stride) {
  for (int r = 0; r < 16; ++r)
    std::memcpy(static_cast<char*>(base) + r * stride, emulated.lanes[kTile][r], 64);
}
template <int kC, int kA, int kB>
COSFORMER_INLINE void tile_dot() {
  for (int r = 0; r < 16; ++r) {
    Vec sum = load(reinterpret_cast<const float*>(emulated.lanes[kC][r]));
    for (int k = 0; k < kTileConfig.rows[kB]; ++k) {
      sum = dot(sum, _mm512_loadu_si512(emulated.lanes[kB][k]), emulated.lanes[kA][r][k]);
    }
    store(reinterpret_cast<float*>(emulated.lanes[kC][r]), sum);
  }
}

#else

// The compiler's own intrinsics want the numbers as literals, not as template arguments.
COSFORMER_INLINE void tiles_begin() {
  __asm__ volatile("ldtilecfg %0" ::"m"(kTileConfig));
}
COSFORMER_INLINE void tiles_end() {
  __asm__ volatile("tilerelease");
}
template <int kTile>
COSFORMER_INLINE void tile_zero() {
  __asm__ volatile("tilezero %%tmm%c0" ::"i"(kTile));
}
template <int kTile>
COSFORMER_INLINE void tile_load(const void* base, int64_t stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(base), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
COSFORMER_INLINE void tile_store(void* base, int64_t stride) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(base), "r"(stride), "i"(kTile) : "memory");
}
template <int kC, int kA, int kB>
COSFORMER_INLINE void tile_dot() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kC), "i"(kA), "i"(kB));
}

#endif

/// Tiles C + i, i < Count, for each i.
template <int kCount, class F>
COSFORMER_INLINE void each_tile(const F& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (f.template operator()<static_cast<int>(I)>(), ...);
  }
  (std::make_index_sequence<kCount>());
}

/// 16 rows of 16 pairs, transposed: target [16][16], source rows `stride` pairs apart.
COSFORMER_INLINE void transpose_pairs(Pair* target, int64_t target_stride, const Pair* source,
                                      int64_t stride) {
  Vec block[W];
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) block[i] = reinterpret_cast<Vec>(_mm512_loadu_si512(source + i * stride));
  transpose(block);
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) store_halves(target + i * target_stride, reinterpret_cast<Halves>(block[i]));
}

}  // namespace
}  // namespace cosformer::cpu

#endif
