#pragma once

// Register tiles. Accumulator arrays stay in registers because every loop over them is unrolled.

#include "kernels/cpu/pack.h"
#include "kernels/cpu/prefetch.h"

namespace cosformer::cpu {
namespace {

// Rows and vectors of a read or update tile, keys of a score tile, rows of a twin tile. With two states a
// read tile holds 2 * kTileRows * kPanelVectors accumulators: 16 of the 32 registers of AVX-512, 12 of the 16
// of AVX2. Two multiply-adds a cycle of latency 4 need 8 in flight, and reach 0.75 of the peak with 8, 0.9
// with 12 (Zen 4).
inline constexpr int kTileRows = W == 16 ? 4 : 2;
inline constexpr int kPanelVectors = W == 8 ? 3 : 2;
inline constexpr int kPanel = kPanelVectors * W;
inline constexpr int kScoreKeys = W == 16 ? 16 : W == 8 ? 4 : 2;
inline constexpr int kTwinRows = W == 16 ? 8 : W == 8 ? 3 : 1;
inline constexpr int kStateRows = W == 16 ? 8 : 4;  // rows of a state are padded to a multiple of this
static_assert(R % kTileRows == 0 && R % kScoreKeys == 0 && kStateRows % kTileRows == 0);
static_assert(kTwinRows <= 3 || kStateRows % kTwinRows == 0);  // what in_even_parts can divide

/// Covers `count` with as few parts of at most kMost as there can be, of sizes that differ by one at most:
/// take<size>(first).
template <int kMost, class Take>
COSFORMER_INLINE void in_even_parts(int64_t count, const Take& take) {
  for (int64_t first = 0; first < count;) {
    const int64_t left = count - first, parts = (left + kMost - 1) / kMost;
    const int64_t size = (left + parts - 1) / parts;
    if (size == kMost) {
      take.template operator()<kMost>(first);
    } else if constexpr (kMost == 3) {
      size == 2 ? take.template operator()<2>(first) : take.template operator()<1>(first);
    } else if constexpr (kMost == 2) {
      take.template operator()<1>(first);
    }
    first += size;
  }
}

/// Panels of `width` columns, visit<vectors>(column).
template <class Visit>
COSFORMER_INLINE void for_panels(int64_t width, const Visit& visit) {
  in_even_parts<kPanelVectors>(width / W,
                               [&]<int V>(int64_t vector) { visit.template operator()<V>(vector * W); });
}
COSFORMER_INLINE int64_t panels_of(int64_t width) {
  return (width + kPanel - 1) / kPanel;
}

/// scores[j][lane] += sum_k y[j][k] xT[k][lane], for kKeys rows of y.
template <int kKeys>
COSFORMER_INLINE void score_tile(Vec (&scores)[kKeys][L], const float* xT, const float* y, int64_t ld_y,
                                 int64_t width) {
  for (int64_t k = 0; k < width; ++k) {
    Vec x[L];
#pragma GCC unroll 8
    for (int l = 0; l < L; ++l) x[l] = load_shared(xT + k * R + l * W);
#pragma GCC unroll 16
    for (int j = 0; j < kKeys; ++j) {
      const Vec factor = broadcast(y[j * ld_y + k]);
#pragma GCC unroll 8
      for (int l = 0; l < L; ++l) scores[j][l] += x[l] * factor;
    }
  }
}

/// The same for half as many rows and the last half of the lanes: where that is half a vector, two terms of a
/// sum share it.
COSFORMER_INLINE void score_corner(HalfLanes (&scores)[R / 2], const float* xT, const float* y, int64_t ld_y,
                                   int64_t width) {
  int64_t k = 0;
#if defined(__AVX512F__)
  Vec two[R / 2] = {};
  for (; k + 2 <= width; k += 2) {
    const Vec x = last_halves_in_turns(load(xT + k * R), load(xT + (k + 1) * R));
#pragma GCC unroll 8
    for (int j = 0; j < R / 2; ++j) two[j] += x * two_in_turns(y + j * ld_y + k);
  }
#pragma GCC unroll 8
  for (int j = 0; j < R / 2; ++j) scores[j] += sums_of_two(two[j]);
#endif
  for (; k < width; ++k) {
    const HalfLanes x = load_half(xT + k * R + R / 2);
#pragma GCC unroll 8
    for (int j = 0; j < R / 2; ++j) scores[j] += x * y[j * ld_y + k];
  }
}

/// acc[r][v] = sum_n wave[n][r] sum_k xT[k][r] state[k][n][v], for rows [r0, r0 + kTileRows) of a block.
template <int N, int V>
COSFORMER_INLINE void read_tile(Vec (&acc)[kTileRows][V], const float* xT, int64_t width, const float* state,
                                const float (*wave)[R], int64_t r0, const Prefetch* ahead) {
  Vec part[N][kTileRows][V] = {};
  const float* x = xT + r0;
  for (int64_t k = 0; k < width; ++k, state += N * V * W, x += R) {
    if (ahead) ahead->line(k);
    Vec factor[kTileRows];
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) factor[r] = broadcast(x[r]);
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const Vec s = load_shared(state + (n * V + v) * W);
#pragma GCC unroll 8
        for (int r = 0; r < kTileRows; ++r) part[n][r][v] += s * factor[r];
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      acc[r][v] = part[0][r][v] * wave[0][r0 + r];
      if constexpr (N == 2) acc[r][v] += part[1][r][v] * wave[1][r0 + r];
    }
  }
}

/// acc[r][v] += sum_j scores[j][r] u[j][v], for rows [r0, r0 + kTileRows) of a block that see the first
/// `keys` rows of u and, with a triangle, row r0 + r as many more as r0 + r + 1. The causal mask selects: a
/// key that a row may not see is not multiplied by zero but left out.
template <int V>
COSFORMER_INLINE void pair_tile(Vec (&acc)[kTileRows][V], const float* scores, const float* u, int64_t ld_u,
                                int64_t keys, bool triangle, int64_t r0) {
  const int64_t full = keys + (triangle ? r0 : 0);
  for (int64_t j = 0; j < full; ++j) {
    Vec row[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) row[v] = load_shared(u + j * ld_u + v * W);
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) {
      const Vec weight = broadcast(scores[j * R + r0 + r]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[r][v] += weight * row[v];
    }
  }
  if (!triangle) return;
#pragma GCC unroll 8
  for (int j = 0; j < kTileRows; ++j) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Vec row = load_shared(u + (full + j) * ld_u + v * W);
#pragma GCC unroll 8
      for (int r = j; r < kTileRows; ++r) acc[r][v] += row * scores[(full + j) * R + r0 + r];
    }
  }
}

/// state[k][n][:] = state[k][n][:] * fade + sum_j y[j][k] u_n[j][:], for rows [k0, k0 + kTileRows) of a
/// panel; u_n is u times wave n. The keys are summed by themselves: errors of one long chain would grow with
/// its length.
template <int N, int V, bool kFade>
COSFORMER_INLINE void update_tile(float* state, const float* y, int64_t ld_y, const float* const (&u)[2],
                                  int64_t ld_u, int64_t keys, int64_t k0, float fade, const Prefetch& ahead) {
  Vec acc[kTileRows][N][V] = {};
  float* rows = state + k0 * N * V * W;
  const float* u0 = u[0];
  const float* u1 = u[1];
  const float* factors = y + k0;
  for (int64_t j = 0; j < keys; ++j, factors += ld_y, u0 += ld_u, u1 += N == 2 ? ld_u : 0) {
    ahead.line(j);
    Vec factor[kTileRows];
#pragma GCC unroll 8
    for (int k = 0; k < kTileRows; ++k) factor[k] = broadcast(factors[k]);
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const Vec value = load_shared((n == 0 ? u0 : u1) + v * W);
#pragma GCC unroll 8
        for (int k = 0; k < kTileRows; ++k) acc[k][n][v] += value * factor[k];
      }
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < kTileRows; ++k) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        float* to = rows + ((k * N + n) * V + v) * W;
        store(to, acc[k][n][v] + (kFade ? load(to) * fade : load(to)));
      }
    }
  }
}

/// twin[k][lane] += sum_n wave[n][lane] acc[k][n][lane], or where it is the first becomes that. Not a
/// condition: of what both branches share compilers move some in front, and there a product is no longer
/// fused with its sum, in one row of the tile and not in another.
template <bool kFirst, int N, int kRows>
COSFORMER_INLINE void add_to_twin(float* twin, const Vec (&acc)[kRows][N][L], const float (*wave)[R]) {
#pragma GCC unroll 8
  for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 8
    for (int l = 0; l < L; ++l) {
      float* to = twin + k * R + l * W;
      Vec sum = kFirst ? zero() : load(to);
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) sum += acc[k][n][l] * load(wave[n] + l * W);
      store(to, sum);
    }
  }
}

/// twin[k][lane] += sum_n wave[n][lane] sum_c state[k][n][c] wT[c][lane] over a panel's columns, for rows
/// [k0, k0 + kRows): lanes are rows, so that one state serves both products. The first panel's sums are the
/// first.
template <bool kFirst, int N, int kRows>
COSFORMER_INLINE void twin_tile(float* twin, const float (*wave)[R], const float* state, int64_t panel,
                                const float* wT, int64_t columns, int64_t k0) {
  Vec acc[kRows][N][L] = {};
  const float* rows = state + k0 * N * panel;
  for (int64_t c = 0; c < columns; ++c) {
    Vec w[L];
#pragma GCC unroll 8
    for (int l = 0; l < L; ++l) w[l] = load_shared(wT + c * R + l * W);
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) {
        const Vec factor = broadcast(rows[(k * N + n) * panel + c]);
#pragma GCC unroll 8
        for (int l = 0; l < L; ++l) acc[k][n][l] += w[l] * factor;
      }
    }
  }
  add_to_twin<kFirst>(twin + k0 * R, acc, wave);
}

}  // namespace
}  // namespace cosformer::cpu
