#pragma once

// Register tiles of bfloat16 pairs: as tiles.h, with two terms of a sum in each instruction.

#include "kernels/cpu/dot_pack.h"
#include "kernels/cpu/tiles.h"

#if defined(__AVX512BF16__)

namespace cosformer::cpu {
namespace {

/// acc + a.first b.first + a.second b.second, b the same in every lane.
COSFORMER_INLINE Vec dot(Vec acc, Halves a, Pair b) {
  return _mm512_dpbf16_ps(acc, reinterpret_cast<__m512bh>(a),
                          reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(b))));
}

/// scores[j][lane] += sum over pairs of y[j] and xT, for kKeys rows of y; ld_y in pairs.
template <int kKeys>
COSFORMER_INLINE void dot_score_tile(Vec (&scores)[kKeys], const Pair* xT, const Pair* y, int64_t ld_y,
                                     int64_t pairs) {
  for (int64_t k = 0; k < pairs; ++k) {
    const Halves x = _mm512_loadu_si512(xT + k * R);
#pragma GCC unroll 16
    for (int j = 0; j < kKeys; ++j) scores[j] = dot(scores[j], x, y[j * ld_y + k]);
  }
}

/// As score_corner, two pairs of terms in a lane's place.
COSFORMER_INLINE void dot_score_corner(HalfLanes (&scores)[R / 2], const Pair* xT, const Pair* y,
                                       int64_t ld_y, int64_t pairs) {
  const auto vector = [&](int64_t k) { return reinterpret_cast<Vec>(_mm512_loadu_si512(xT + k * R)); };
  int64_t k = 0;
  Vec two[R / 2] = {};
  for (; k + 2 <= pairs; k += 2) {
    const auto x = reinterpret_cast<__m512bh>(last_halves_in_turns(vector(k), vector(k + 1)));
#pragma GCC unroll 8
    for (int j = 0; j < R / 2; ++j) {
      two[j] = _mm512_dpbf16_ps(two[j], x, reinterpret_cast<__m512bh>(two_in_turns(y + j * ld_y + k)));
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < R / 2; ++j) scores[j] += sums_of_two(two[j]);
  for (; k < pairs; ++k) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(xT + k * R + R / 2));
#pragma GCC unroll 8
    for (int j = 0; j < R / 2; ++j) {
      scores[j] =
          _mm256_dpbf16_ps(scores[j], reinterpret_cast<__m256bh>(x),
                           reinterpret_cast<__m256bh>(_mm256_set1_epi32(static_cast<int>(y[j * ld_y + k]))));
    }
  }
}

/// acc[r][v] = sum_n wave[n][r] sum over pairs of xT[k][r] and state[k][n][v].
template <int N, int V>
COSFORMER_INLINE void dot_read_tile(Vec (&acc)[kTileRows][V], const Pair* xT, int64_t pairs,
                                    const Pair* state, const float (*wave)[R], int64_t r0,
                                    const Prefetch* ahead) {
  Vec part[N][kTileRows][V] = {};
  const Pair* x = xT + r0;
  for (int64_t k = 0; k < pairs; ++k, state += N * V * W, x += R) {
    if (ahead) ahead->line(k);
    Halves s[N][V];
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) s[n][v] = _mm512_loadu_si512(state + (n * V + v) * W);
    }
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) part[n][r][v] = dot(part[n][r][v], s[n][v], x[r]);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      acc[r][v] = part[0][r][v] * wave[0][r0 + r];
      if constexpr (N == 2) acc[r][v] += part[1][r][v] * wave[1][r0 + r];
    }
  }
}

/// As pair_tile: `scores` are pairs of rows of u, [keys / 2][R]; of the triangle, where the mask selects
/// single rows, they are floats, [R][R].
template <int V>
COSFORMER_INLINE void dot_pair_tile(Vec (&acc)[kTileRows][V], const Pair* scores,
                                    const float* triangle_scores, const Pair* u, int64_t ld_u, int64_t keys,
                                    bool triangle, int64_t r0) {
  const int64_t full = (keys + (triangle ? r0 : 0)) / 2;
  for (int64_t j = 0; j < full; ++j) {
    Halves row[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) row[v] = _mm512_loadu_si512(u + j * ld_u + v * W);
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) acc[r][v] = dot(acc[r][v], row[v], scores[j * R + r0 + r]);
    }
  }
  if (!triangle) return;
#pragma GCC unroll 4
  for (int j = 0; j < kTileRows; j += 2) {
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      const Halves pair = _mm512_loadu_si512(u + (full + j / 2) * ld_u + v * W);
      acc[j][v] += first_of(pair) * triangle_scores[(r0 + j) * R + r0 + j];  // sees the first alone
#pragma GCC unroll 4
      for (int r = j + 1; r < kTileRows; ++r) {
        acc[r][v] = dot(acc[r][v], pair, scores[(full + j / 2) * R + r0 + r]);
      }
    }
  }
}

/// Where the copies of a state lie that products read: pairs of rows, and for the twin pairs of columns.
struct StateCopies {
  Pair* rows;     ///< panel [rows / 2][N][panel]
  Pair* columns;  ///< panel [rows][N][panel / 2]; null: not wanted
};

/// Rounds rows [k0, k0 + kTileRows) of a panel into its copies.
template <int N, int V>
COSFORMER_INLINE void copy_tile(const Vec (&acc)[kTileRows][N][V], const StateCopies& copies, int64_t k0,
                                const Interleave& interleave) {
#pragma GCC unroll 4
  for (int k = 0; k < kTileRows; k += 2) {
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) {
        store_halves(copies.rows + (((k0 + k) / 2 * N + n) * V + v) * W,
                     interleave.floats(acc[k][n][v], acc[k + 1][n][v]));
      }
    }
  }
  if (!copies.columns) return;
#pragma GCC unroll 4
  for (int k = 0; k < kTileRows; ++k) {
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
      Pair* row = copies.columns + ((k0 + k) * N + n) * V * W / 2;
      if constexpr (V == 2) {
        store_halves(row, narrow(acc[k][n][0], acc[k][n][1]));
      } else {
        store(reinterpret_cast<bfloat16*>(row), acc[k][n][0]);
      }
    }
  }
}

/// As update_tile, over pairs of rows; the copies follow the state.
template <int N, int V, bool kFade>
COSFORMER_INLINE void dot_update_tile(float* state, const StateCopies& copies, const Pair* y, int64_t ld_y,
                                      const Pair* const (&u)[2], int64_t ld_u, int64_t pairs, int64_t k0,
                                      float fade, const Interleave& interleave, const Prefetch& ahead) {
  Vec acc[kTileRows][N][V] = {};
  float* rows = state + k0 * N * V * W;
  const Pair *u0 = u[0], *u1 = u[1], *factors = y + k0;
  for (int64_t j = 0; j < pairs; ++j, factors += ld_y, u0 += ld_u, u1 += N == 2 ? ld_u : 0) {
    ahead.line(j);
    Halves value[N][V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      value[0][v] = _mm512_loadu_si512(u0 + v * W);
      if constexpr (N == 2) value[1][v] = _mm512_loadu_si512(u1 + v * W);
    }
#pragma GCC unroll 4
    for (int k = 0; k < kTileRows; ++k) {
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) acc[k][n][v] = dot(acc[k][n][v], value[n][v], factors[k]);
      }
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < kTileRows; ++k) {
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) {
        float* to = rows + ((k * N + n) * V + v) * W;
        acc[k][n][v] += (kFade ? load(to) * fade : load(to));
        store(to, acc[k][n][v]);
      }
    }
  }
  if (copies.rows) copy_tile<N, V>(acc, copies, k0, interleave);
}

/// As twin_tile, over pairs of columns.
template <bool kFirst, int N>
COSFORMER_INLINE void dot_twin_tile(float* twin, const float (*wave)[R], const Pair* state, int64_t panel,
                                    const Pair* wT, int64_t pairs, int64_t k0) {
  Vec acc[kTwinRows][N][1] = {};
  const Pair* rows = state + k0 * N * (panel / 2);
  for (int64_t c = 0; c < pairs; ++c) {
    const Halves w = _mm512_loadu_si512(wT + c * R);
#pragma GCC unroll 8
    for (int k = 0; k < kTwinRows; ++k) {
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) acc[k][n][0] = dot(acc[k][n][0], w, rows[(k * N + n) * (panel / 2) + c]);
    }
  }
  add_to_twin<kFirst>(twin + k0 * R, acc, wave);
}

}  // namespace
}  // namespace cosformer::cpu

#endif
