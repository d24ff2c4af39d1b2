#pragma once

// Register tiles. Accumulator arrays stay in registers because every loop over them is unrolled.

#include "kernels/cpu/pack.h"

namespace cosformer::cpu {
namespace {

// Rows and vectors of a read or update tile, keys of a score tile. With two states a read tile holds
// 2 * kTileRows * kPanelVectors accumulators: 16 of the 32 registers of AVX-512, 8 of the 16 of AVX2 and SSE;
// two FMA ports of latency 4 need 8 in flight.
inline constexpr int kTileRows = W == 16 ? 4 : 2;
inline constexpr int kPanelVectors = 2;
inline constexpr int kPanel = kPanelVectors * W;
inline constexpr int kScoreKeys = W == 16 ? 16 : W == 8 ? 4 : 2;
inline constexpr int kStateRows = 4;  // rows of a state are padded to a multiple of this
static_assert(R % kTileRows == 0 && R % kScoreKeys == 0 && kStateRows % kTileRows == 0);

/// scores[j][lane] = sum_k y[j][k] xT[k][lane], for kScoreKeys keys.
COSFORMER_INLINE void score_tile(Vec (&scores)[kScoreKeys][L], const float* xT, const float* y, int64_t ld_y,
                                 int64_t width) {
#pragma GCC unroll 16
  for (int j = 0; j < kScoreKeys; ++j) {
#pragma GCC unroll 4
    for (int l = 0; l < L; ++l) scores[j][l] = zero();
  }
  for (int64_t k = 0; k < width; ++k) {
    Vec x[L];
#pragma GCC unroll 4
    for (int l = 0; l < L; ++l) x[l] = load(xT + k * R + l * W);
#pragma GCC unroll 16
    for (int j = 0; j < kScoreKeys; ++j) {
      const Vec factor = broadcast(y[j * ld_y + k]);
#pragma GCC unroll 4
      for (int l = 0; l < L; ++l) scores[j][l] += x[l] * factor;
    }
  }
}

/// What a read tile needs beside its accumulators.
struct ReadTile {
  const float* xT = nullptr;     ///< [width][R]
  int64_t width = 0;             ///< contraction width with the extra column
  const float* state = nullptr;  ///< panel [width][N][vectors * W]; null: empty
  const float* cos = nullptr;    ///< [R], of the block's rows
  const float* sin = nullptr;
  const float* scores = nullptr;  ///< [keys][R], weighted
  const float* u = nullptr;       ///< [keys][ld_u], at the panel's first column
  int64_t ld_u = 0;
  int64_t all_keys = 0;   ///< keys that every row of the block sees
  bool triangle = false;  ///< beyond those, row r sees r + 1 keys more
};

/// acc[r] = (cos_r S_cos + sin_r S_sin) read by row + scores . u, for rows [r0, r0 + kTileRows) of the block.
template <int N, int V>
COSFORMER_INLINE void read_tile(Vec (&acc)[kTileRows][V], const ReadTile& t, int64_t r0) {
  Vec part[N][kTileRows][V];
#pragma GCC unroll 2
  for (int n = 0; n < N; ++n) {
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) part[n][r][v] = zero();
    }
  }
  if (t.state) {
    const float* state = t.state;
    const float* x = t.xT + r0;
    for (int64_t k = 0; k < t.width; ++k, state += N * V * W, x += R) {
      Vec s[N][V];
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) s[n][v] = load(state + (n * V + v) * W);
      }
#pragma GCC unroll 4
      for (int r = 0; r < kTileRows; ++r) {
        const Vec factor = broadcast(x[r]);
#pragma GCC unroll 2
        for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
          for (int v = 0; v < V; ++v) part[n][r][v] += s[n][v] * factor;
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      if constexpr (N == 2) {
        acc[r][v] = part[0][r][v] * t.cos[r0 + r] + part[1][r][v] * t.sin[r0 + r];
      } else {
        acc[r][v] = part[0][r][v];
      }
    }
  }
  const int64_t full = t.all_keys + (t.triangle ? r0 : 0);
  for (int64_t j = 0; j < full; ++j) {
    Vec u[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) u[v] = load(t.u + j * t.ld_u + v * W);
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
      const Vec weight = broadcast(t.scores[j * R + r0 + r]);
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) acc[r][v] += weight * u[v];
    }
  }
  if (t.triangle) {
    // The causal mask selects: a key that a row may not see is not multiplied by zero but left out.
#pragma GCC unroll 4
    for (int j = 0; j < kTileRows; ++j) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) {
        const Vec u = load(t.u + (full + j) * t.ld_u + v * W);
#pragma GCC unroll 4
        for (int r = j; r < kTileRows; ++r) acc[r][v] += u * t.scores[(full + j) * R + r0 + r];
      }
    }
  }
}

/// state[k][n][:] += sum_j y[j][k] u_n[j][:], for rows [k0, k0 + kTileRows) of a panel; u_0 is u times cos,
/// u_1 times sin.
template <int N, int V>
COSFORMER_INLINE void update_tile(float* state, const float* y, int64_t ld_y, const float* const (&u)[2],
                                  int64_t ld_u, int64_t keys, int64_t k0) {
  Vec acc[kTileRows][N][V];
  float* rows = state + k0 * N * V * W;
#pragma GCC unroll 4
  for (int k = 0; k < kTileRows; ++k) {
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) acc[k][n][v] = load(rows + ((k * N + n) * V + v) * W);
    }
  }
  for (int64_t j = 0; j < keys; ++j) {
    Vec value[N][V];
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) value[n][v] = load(u[n] + j * ld_u + v * W);
    }
#pragma GCC unroll 4
    for (int k = 0; k < kTileRows; ++k) {
      const Vec factor = broadcast(y[j * ld_y + k0 + k]);
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) acc[k][n][v] += value[n][v] * factor;
      }
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < kTileRows; ++k) {
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) store(rows + ((k * N + n) * V + v) * W, acc[k][n][v]);
    }
  }
}

}  // namespace
}  // namespace cosformer::cpu
