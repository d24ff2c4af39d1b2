#pragma once

// Sweeps over bfloat16 by matrix tiles: what differs from the dot products of pairs, whose packed rows serve
// here too.

#include "kernels/cpu/amx_tiles.h"
#include "kernels/cpu/dot_kernel.h"

#if defined(COSFORMER_AMX)

namespace cosformer::cpu {
namespace {

struct TilePlan : DotPlan {
  static int64_t chunk(int64_t, int64_t) { return 64; }
  static constexpr int64_t kRowAlign = 32;

  Pair* y_turned;      // B of scores: [keys / R][ld_y / 2][R]
  Pair* u_turned;      // the same of u, for the twin: [keys / R][ld_u_rows / 2][R]
  Pair* y_by_column;   // A of updates: tiles [rows / 16] of each 32 keys, [16 rows][16 pairs of keys]
  Pair* state_turned;  // B of the twin: panels [N][rows / 16][panel / 2][16 rows]
  float* read_tiles;   // [N][R][panel]
  float* pair_tiles;   // [heads][R][panel]
  float* score_tile;   // [2][R][R]
};

COSFORMER_INLINE void begin_sweeps(const TilePlan&) {
  tiles_begin();
}
COSFORMER_INLINE void end_sweeps(const TilePlan&) {
  tiles_end();
}

/// A block's x as rows, behind its pairs; and w.
COSFORMER_INLINE Pair* x_rows(float* xT, int64_t width) {
  return pairs(xT) + round_up(width, 2) / 2 * R;
}
/// Scores of a block: [R][ld] bfloat16 in pairs, then each head's triangle [R][R].
COSFORMER_INLINE int64_t ld_scores(const TilePlan& p) {
  return p.keys / p.head_keys * round_up(p.head_keys, kHalves) / 2;
}
COSFORMER_INLINE int64_t score_floats(const TilePlan& p, int64_t heads) {
  return p.keys == 0 ? 0 : R * ld_scores(p) + heads * R * R;
}

inline int64_t lay_out(Block& block, const TilePlan& p, const Sweep<bfloat16>& s, float* start) {
  Place place{start};
  block.xT = place.take(round_up(p.X, 2) / 2 * R + R * p.ld_y / 2);
  block.scores = place.take(score_floats(p, s.y_heads));
  block.wT = place.take(p.twin ? round_up(p.columns, 2) / 2 * R + R * p.ld_u_rows / 2 : 0);
  block.twin_scores = place.take(p.twin ? score_floats(p, s.y_heads) : 0);
  block.twin = place.take(p.twin ? s.N * p.rows * R : 0);
  block.twin_rows = place.take(p.twin ? R * p.ld_y : 0);
  return place.used;
}

inline void place_chunk(TilePlan& p, const Sweep<bfloat16>& s, Place& place) {
  place_chunk(static_cast<DotPlan&>(p), s, place);
  p.y_turned = pairs(place.take(p.keys * p.ld_y / 2));
  p.u_turned = pairs(place.take(p.twin ? p.keys * p.ld_u_rows / 2 : 0));
  p.y_by_column = pairs(place.take(p.rows * s.y_heads * round_up(p.head_keys, kHalves) / 2));
  p.read_tiles = place.take(s.N * R * kPanel);
  p.pair_tiles = place.take(s.y_heads * R * kPanel);
  p.score_tile = place.take(2 * R * R);
}

inline void place_copies(TilePlan& p, const Sweep<bfloat16>& s, Place& place) {
  place_copies(static_cast<DotPlan&>(p), s, place);
  p.state_turned = p.twin ? pairs(place.take(p.rows * p.ld_u / 2 * s.N + R)) : nullptr;
}

COSFORMER_INLINE void move_state(TilePlan& p, int64_t floats) {
  move_state(static_cast<DotPlan&>(p), floats);
  if (p.state_turned) p.state_turned += floats;
}

/// The part of state_turned that belongs to a panel, state n and 16 rows.
COSFORMER_INLINE Pair* turned_of(const TilePlan& p, int64_t N, int64_t column, int64_t panel, int64_t n,
                                 int64_t k) {
  return p.state_turned + p.rows * N * (column / 2) + (n * p.rows + k) * (panel / 2);
}

/// Copies of 16 rows of a panel, from its floats.
template <int N, int V>
COSFORMER_INLINE void copy_rows(const TilePlan& p, int64_t column, int64_t k) {
  const StateCopies copies = copies_of(p, N, column);
  const float* panel = panel_of(p.state, p, N, column);
  for (int64_t k0 = k; k0 < k + R; k0 += kTileRows) {
    Vec acc[kTileRows][N][V];
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) acc[r][n][v] = load(panel + (((k0 + r) * N + n) * V + v) * W);
      }
    }
    copy_tile<N, V>(acc, copies, k0, p.interleave);
  }
  if (!p.twin) return;
  for (int64_t n = 0; n < N; ++n) {
    alignas(64) Pair turned[R * R];
    transpose_pairs(turned, R, copies.columns + (k * N + n) * V * W / 2, N * V * W / 2);
    Pair* target = turned_of(p, N, column, V * W, n, k);
    for (int64_t i = 0; i < V * W / 2; ++i) store_halves(target + i * R, _mm512_load_si512(turned + i * R));
  }
}

inline void refresh_copies(const Sweep<bfloat16>& s, const TilePlan& p) {
  for_panels(p.ld_u, [&]<int V>(int64_t column) {
    for (int64_t k = 0; k < p.rows; k += R) {
      s.N == 2 ? copy_rows<2, V>(p, column, k) : copy_rows<1, V>(p, column, k);
    }
  });
}

inline void pack_chunk(const Sweep<bfloat16>& s, const TilePlan& p, int64_t first, int64_t count,
                       bool for_state) {
  pack_chunk(s, static_cast<const DotPlan&>(p), first, count, for_state);
  const int64_t groups = round_up(p.head_keys, kHalves) / kHalves;
  for (int64_t h = 0; h < s.y_heads; ++h) {
    const int64_t row = h * p.head_keys;
    for (int64_t r = 0; r < round_up(count, R); r += R) {
      const Pair* rows = reinterpret_cast<const Pair*>(p.y_rows + (row + r) * p.ld_y);
      for (int64_t k = 0; k < p.ld_y / 2; k += R) {
        transpose_pairs(p.y_turned + (row + r) * p.ld_y / 2 + k * R, R, rows + k, p.ld_y / 2);
      }
      const Pair* u_rows = reinterpret_cast<const Pair*>(p.u_rows + (row + r) * p.ld_u_rows);
      for (int64_t k = 0; p.twin && k < p.ld_u_rows / 2; k += R) {
        transpose_pairs(p.u_turned + (row + r) * p.ld_u_rows / 2 + k * R, R, u_rows + k, p.ld_u_rows / 2);
      }
    }
    if (!for_state) continue;
    // Tiles take 16 or 32 keys in: those that are not there are 0.
    const int64_t begin = round_up(count, 2) / 2, end = round_up(count, R) / 2;
    for (int n = 0; n < p.waves && begin < end; ++n) {
      clear(reinterpret_cast<float*>(p.u_wave_pairs[n] + (row / 2 + begin) * p.ld_u), (end - begin) * p.ld_u);
    }
    for (int64_t group = 0; group * kHalves < count; ++group) {
      const Pair* y = p.y_pairs + (row / 2 + group * R) * p.ld_y;
      const bool whole = group * kHalves + R < round_up(count, R);
      for (int64_t k = 0; k < p.rows; k += R) {
        alignas(64) Pair keys[R * R] = {};
        for (int64_t j = 0; j < (whole ? R : R / 2); ++j) {
          store_halves(keys + j * R,
                       k < p.ld_y ? _mm512_loadu_si512(y + j * p.ld_y + k) : _mm512_setzero_si512());
        }
        transpose_pairs(p.y_by_column + ((h * groups + group) * p.rows + k) * R, R, keys, R);
      }
    }
  }
}

/// Rows as they are, zero beyond their number and width: target [R][ld / 2] pairs.
inline void pack_x_rows(Pair* target, const RowSource<bfloat16>& source, int64_t first, int64_t count,
                        int64_t width, int64_t ld) {
  as_transformed(source, [&]<bool kRelu, bool kScaled>() {
    for (int64_t r = 0; r < R; ++r) {
      const bfloat16* row = source.row(first + (r < count ? r : 0));
      const float scale = r < count ? source.scale_of(first + r) : 0.0F;
      for (int64_t c = 0; c < ld; c += kHalves) {
        const bool real = r < count && c < width;
        store_halves(
            target + (r * ld + c) / 2,
            real ? load_transformed<kRelu, kScaled>(row + c, width - c, scale) : _mm512_setzero_si512());
      }
    }
  });
}

inline void pack_block(const Sweep<bfloat16>& s, const TilePlan& p, Block& block) {
  const RowSource<bfloat16> x{s.x, s.x_side, block.head, s.relu_x, s.x_scale.head(block.head)};
  if (s.normalize) pack_pairs_transposed(pairs(block.xT), x, block.first, block.count, s.X);
  if (!s.twin_alone) pack_x_rows(x_rows(block.xT, p.X), x, block.first, block.count, s.X, p.ld_y);
  if (!p.twin) return;
  pack_x_rows(x_rows(block.wT, p.columns), RowSource<bfloat16>{s.w, s.x_side, block.head}, block.first,
              block.count, p.columns, p.ld_u_rows);
}

/// Scores of one head of y: [R][ld] bfloat16 into `scores`, the triangle's as floats [R][R]. `sums` [R][R]
/// takes what each row sees, lane by lane.
COSFORMER_INLINE void tile_score_rows(const TilePlan& p, Pair* scores, float* triangle, const Pair* x,
                                      int64_t ld_x, const Pair* turned, const Block& block,
                                      const float* weights, const float* row_start, const float* lane_start,
                                      float* sums) {
  const int64_t total = block.keys + (block.triangle ? R : 0), ld = ld_scores(p);
  for (int64_t j0 = 0; j0 < total; j0 += kHalves) {
    const bool whole = j0 + R < total;
    tile_zero<kTileC>();
    tile_zero<kTileC + 1>();
    for (int64_t k = 0; k < ld_x / 2; k += R) {
      tile_load<kTileA>(x + k, ld_x * 2);
      tile_load<kTileB>(turned + (j0 * ld_x / 2 + k * R), R * 4);
      tile_dot<kTileC, kTileA, kTileB>();
      if (!whole) continue;
      tile_load<kTileB>(turned + ((j0 + R) * ld_x / 2 + k * R), R * 4);
      tile_dot<kTileC + 1, kTileA, kTileB>();
    }
    tile_store<kTileC>(p.score_tile, R * 4);
    tile_store<kTileC + 1>(p.score_tile + R * R, R * 4);
    for (int64_t i = 0; i < R; ++i) {
      Vec half[2];
#pragma GCC unroll 2
      for (int part = 0; part < 2; ++part) {
        const int64_t j = j0 + part * R;
        half[part] = zero();
        if (j >= total) continue;
        Vec w = load(p.score_tile + part * R * R + i * R);
        if (row_start) w += row_start[i];
        if (lane_start) w += load(lane_start + j);
        if (weights) w *= load(weights + j - (block.first - block.chunk_first) - i);  // symmetric
        half[part] = w;
        if (j >= block.keys) {
          store(triangle + i * R, w);
          w = lane_numbers() <= static_cast<int32_t>(i) ? w : zero();
        }
        if (sums) store(sums + i * R, load(sums + i * R) + w);
      }
      store_halves(scores + i * ld + j0 / 2, narrow(half[0], half[1]));
    }
  }
}

COSFORMER_INLINE Pair* scores_of(float* scores, const TilePlan& p, int64_t head) {
  return pairs(scores) + head * round_up(p.head_keys, kHalves) / 2;
}
COSFORMER_INLINE float* triangle_of(float* scores, const TilePlan& p, int64_t head) {
  return scores + R * ld_scores(p) + head * R * R;
}

inline void score_block(const Sweep<bfloat16>& s, const TilePlan& p, Block& block, bool with_pairs) {
  alignas(64) float terms[R], rows[R * R] = {};
  const float* row_start = lane_terms(s, block, terms) ? terms : nullptr;
  for (int64_t h = 0; with_pairs && h < s.y_heads; ++h) {
    const int64_t row = h * p.head_keys;
    if (!s.twin_alone) {
      tile_score_rows(p, scores_of(block.scores, p, h), triangle_of(block.scores, p, h),
                      x_rows(block.xT, p.X), p.ld_y, p.y_turned + row * p.ld_y / 2, block, s.weights,
                      row_start, nullptr, rows);
    }
    if (!p.twin) continue;
    tile_score_rows(p, scores_of(block.twin_scores, p, h), triangle_of(block.twin_scores, p, h),
                    x_rows(block.wT, p.columns), p.ld_u_rows, p.u_turned + row * p.ld_u_rows / 2, block,
                    s.weights, nullptr, s.b.data ? p.b + row : nullptr, nullptr);
  }
  if (!s.normalize) return;
  Vec turned[W], sums[1] = {};
  for (int i = 0; i < W; ++i) turned[i] = load(rows + i * R);
  transpose(turned);
  for (int i = 0; i < W; ++i) sums[0] += turned[i];
  finish_denominators(s, p, block, sums);
}

template <int N, int V>
COSFORMER_INLINE void read_state(Vec (&acc)[kTileRows][V], const TilePlan& p, const Block& block,
                                 int64_t column, int64_t r0, const Prefetch* ahead) {
  for (int64_t j = 0; ahead && j < p.X / 2; ++j) ahead->line(j);
  if (r0 == 0) {
    each_tile<N * V>([]<int I>() { tile_zero<kTileC + I>(); });
    const Pair* state = copies_of(p, N, column).rows;
    for (int64_t k = 0; k < p.ld_y / 2; k += R) {
      tile_load<kTileA>(x_rows(block.xT, p.X) + k, p.ld_y * 2);
      each_tile<N * V>([&]<int I>() {
        tile_load<kTileB>(state + k * N * V * W + I * W, N * V * W * 4);
        tile_dot<kTileC + I, kTileA, kTileB>();
      });
    }
    each_tile<N * V>(
        [&]<int I>() { tile_store<kTileC + I>(p.read_tiles + I / V * R * V * W + I % V * W, V * W * 4); });
  }
#pragma GCC unroll 4
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      const float* part = p.read_tiles + (r0 + r) * V * W + v * W;
      acc[r][v] = load(part) * block.wave[0][r0 + r];
      if constexpr (N == 2) acc[r][v] += load(part + R * V * W) * block.wave[1][r0 + r];
    }
  }
}

/// Scores times rows of u (or y): whole groups of keys by tiles, the triangle by pairs and by single rows.
template <int V>
COSFORMER_INLINE void add_tile_pairs(Vec (&acc)[kTileRows][V], const TilePlan& p, const Block& block,
                                     const Pair* scores, const float* triangle, const Pair* u, int64_t ld_u,
                                     float* tiles, int64_t r0) {
  const int64_t ld = ld_scores(p);
  if (r0 == 0 && block.keys > 0) {
    each_tile<V>([]<int I>() { tile_zero<kTileC + I>(); });
    int64_t j = 0;
    for (; j + kHalves <= block.keys; j += kHalves) {
      tile_load<kTileA>(scores + j / 2, ld * 4);
      each_tile<V>([&]<int I>() {
        tile_load<kTileB>(u + j / 2 * ld_u + I * W, ld_u * 4);
        tile_dot<kTileC + I, kTileA, kTileB>();
      });
    }
    if (j < block.keys) {
      tile_load<kTileHalfA>(scores + j / 2, ld * 4);
      each_tile<V>([&]<int I>() {
        tile_load<kTileHalfB>(u + j / 2 * ld_u + I * W, ld_u * 4);
        tile_dot<kTileC + I, kTileHalfA, kTileHalfB>();
      });
    }
    each_tile<V>([&]<int I>() { tile_store<kTileC + I>(tiles + I * W, V * W * 4); });
  }
  if (block.keys > 0) {
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) acc[r][v] += load(tiles + (r0 + r) * V * W + v * W);
    }
  }
  if (!block.triangle) return;
  for (int64_t j = block.keys; j < block.keys + r0 + kTileRows; j += 2) {
    Halves pair[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) pair[v] = _mm512_loadu_si512(u + j / 2 * ld_u + v * W);
    if (j < block.keys + r0) {
#pragma GCC unroll 4
      for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) acc[r][v] = dot(acc[r][v], pair[v], scores[(r0 + r) * ld + j / 2]);
      }
      continue;
    }
    const int64_t seen = j - block.keys - r0;  // 0 or 2
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
      const float* row = triangle + (r0 + r) * R + r0 + seen;
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) {
        if (r >= seen) acc[r][v] += first_of(pair[v]) * row[0];
        if (r >= seen + 1) acc[r][v] += second_of(pair[v]) * row[1];
      }
    }
  }
}

template <int V>
COSFORMER_INLINE void add_pairs(Vec (&acc)[kTileRows][V], const TilePlan& p, const Block& block, int64_t head,
                                int64_t column, int64_t r0) {
  add_tile_pairs<V>(acc, p, block, scores_of(block.scores, p, head), triangle_of(block.scores, p, head),
                    p.u_pairs + head * p.head_keys / 2 * p.ld_u + column, p.ld_u,
                    p.pair_tiles + head * R * kPanel, r0);
}
template <int V>
COSFORMER_INLINE void add_twin_pairs(Vec (&acc)[kTileRows][V], const TilePlan& p, const Block& block,
                                     int64_t head, int64_t column, int64_t r0) {
  add_tile_pairs<V>(
      acc, p, block, scores_of(block.twin_scores, p, head), triangle_of(block.twin_scores, p, head),
      p.y_pairs + head * p.head_keys / 2 * p.ld_y + column, p.ld_y, p.pair_tiles + head * R * kPanel, r0);
}

template <int N, int V, bool kFade>
COSFORMER_INLINE void update_panel(const Sweep<bfloat16>& s, const TilePlan& p, int64_t column, int64_t count,
                                   float fade, Prefetch& ahead) {
  float* panel = panel_of(p.state, p, N, column);
  if constexpr (kFade) {
    for (int64_t i = 0; i < p.rows * N * V * W; i += W) store(panel + i, load(panel + i) * fade);
  }
  const int64_t groups = round_up(p.head_keys, kHalves) / kHalves;
  for (int64_t k = 0; k < p.rows; k += R) {
    for (int64_t i = 0; i < R / kTileRows * s.y_heads; ++i) {
      ahead.next_tile();
      for (int64_t j = 0; j < R; ++j) ahead.line(j);
    }
    float* rows = panel + k * N * V * W;
    each_tile<N * V>([&]<int I>() { tile_load<kTileC + I>(rows + I * W, N * V * W * 4); });
    for (int64_t h = 0; h < s.y_heads; ++h) {
      for (int64_t j = 0; j < count; j += kHalves) {
        const Pair* y = p.y_by_column + ((h * groups + j / kHalves) * p.rows + k) * R;
        const auto u = [&](int i) {
          return p.u_wave_pairs[i / V] + (h * p.head_keys + j) / 2 * p.ld_u + column + i % V * W;
        };
        if (j + R < round_up(count, R)) {
          tile_load<kTileA>(y, R * 4);
          each_tile<N * V>([&]<int I>() {
            tile_load<kTileB>(u(I), p.ld_u * 4);
            tile_dot<kTileC + I, kTileA, kTileB>();
          });
        } else {
          tile_load<kTileHalfA>(y, R * 4);
          each_tile<N * V>([&]<int I>() {
            tile_load<kTileHalfB>(u(I), p.ld_u * 4);
            tile_dot<kTileC + I, kTileHalfA, kTileHalfB>();
          });
        }
      }
    }
    each_tile<N * V>([&]<int I>() { tile_store<kTileC + I>(rows + I * W, N * V * W * 4); });
    if (p.copied) copy_rows<N, V>(p, column, k);
  }
}

template <bool kFirst, int N>
COSFORMER_INLINE void read_twin(const TilePlan& p, const Block& block, int64_t column, int64_t panel) {
  const Pair* w = x_rows(block.wT, p.columns) + column / 2;
  for (int64_t k = 0; k < p.rows; k += R) {
    each_tile<N>([&]<int I>() {
      float* twin = block.twin + I * R * p.rows + k;
      if constexpr (kFirst) {
        tile_zero<kTileC + I>();
      } else {
        tile_load<kTileC + I>(twin, p.rows * 4);
      }
      if (panel == kPanel) {
        tile_load<kTileA>(w, p.ld_u_rows * 2);
        tile_load<kTileB>(turned_of(p, N, column, panel, I, k), R * 4);
        tile_dot<kTileC + I, kTileA, kTileB>();
      } else {
        tile_load<kTileHalfA>(w, p.ld_u_rows * 2);
        tile_load<kTileHalfB>(turned_of(p, N, column, panel, I, k), R * 4);
        tile_dot<kTileC + I, kTileHalfA, kTileHalfB>();
      }
      tile_store<kTileC + I>(twin, p.rows * 4);
    });
  }
}

/// The twin lies in rows: [N][R][rows].
inline void turn_twin(const Sweep<bfloat16>& s, const TilePlan& p, const Block& block) {
  for (int64_t r = 0; r < R; ++r) {
    for (int64_t k = 0; k < s.X; k += W) {
      Vec row = zero();
      for (int64_t n = 0; n < s.N; ++n) {
        Vec part = p.columns > 0 ? load(block.twin + (n * R + r) * p.rows + k) : zero();
        if (s.sum == Sum::b_y) part += load(p.sum + n * p.ld_sum + k);
        row += part * block.wave[n][r];
      }
      store(block.twin_rows + r * p.ld_y + k, row);
    }
  }
}

}  // namespace
}  // namespace cosformer::cpu

#endif
