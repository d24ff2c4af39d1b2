#pragma once

// Sweeps over bfloat16 by dot products of pairs: what differs from the float kernels. Inputs and the copies
// of the state are bfloat16, rounded once; scores, sums, states and denominators are float.

#include "kernels/cpu/block_kernel.h"
#include "kernels/cpu/dot_tiles.h"

#if defined(__AVX512BF16__)

namespace cosformer::cpu {
namespace {

struct DotPlan : Plan {
  static constexpr int64_t kAlign = kHalves;
  static int64_t chunk(int64_t, int64_t) { return 32; }
  static constexpr int64_t kContraction = 2;

  bfloat16* y_rows;  // [keys][ld_y]
  bfloat16* u_rows;  // [keys][ld_u_rows], for the twin
  int64_t ld_u_rows;
  Pair* y_pairs;                     // [keys / 2][ld_y], of rows
  Pair *u_pairs, *u_wave_pairs[2];   // [keys / 2][ld_u], of rows
  Pair *state_rows, *state_columns;  // copies of the state, in panels
  bool copied = true;                // the copies are kept up to date
  Interleave interleave;
};

COSFORMER_INLINE Pair* pairs(float* p) {
  return reinterpret_cast<Pair*>(p);
}

inline int64_t lay_out(Block& block, const DotPlan& p, const Sweep<bfloat16>& s, float* start) {
  Place place{start};
  block.xT = place.take(round_up(p.X, 2) / 2 * R);
  block.scores = place.take(p.keys / 2 * R + s.y_heads * R * R);
  block.wT = place.take(p.twin ? round_up(p.columns, 2) / 2 * R : 0);
  block.twin_scores = place.take(p.twin ? p.keys / 2 * R + s.y_heads * R * R : 0);
  block.twin = place.take(p.twin ? p.rows * R : 0);
  block.twin_rows = place.take(p.twin ? R * p.ld_y : 0);
  return place.used;
}

inline void place_chunk(DotPlan& p, const Sweep<bfloat16>& s, Place& place) {
  p.y_rows = reinterpret_cast<bfloat16*>(place.take(p.keys * p.ld_y / 2));
  p.y_pairs = pairs(place.take(p.keys / 2 * p.ld_y));
  p.u_pairs = pairs(place.take(p.keys / 2 * p.ld_u));
  p.ld_u_rows = round_up(p.columns, kHalves);
  p.u_rows = reinterpret_cast<bfloat16*>(place.take(p.twin ? p.keys * p.ld_u_rows / 2 : 0));
  p.b = place.take(s.b.data ? p.keys : 0);
  for (int n = 0; n < 2; ++n) {
    p.u_wave_pairs[n] = n < p.waves ? pairs(place.take(p.keys / 2 * p.ld_u)) : p.u_pairs;
    p.wave[n] = place.take(p.head_keys);
    p.factor[n] = place.take(p.keys);
  }
}

inline void place_copies(DotPlan& p, const Sweep<bfloat16>& s, Place& place) {
  p.state_rows = pairs(place.take(p.rows / 2 * p.ld_u * s.N));
  p.state_columns = p.twin ? pairs(place.take(p.rows * p.ld_u / 2 * s.N)) : nullptr;
}

COSFORMER_INLINE void leave_copies(DotPlan& p) {
  p.copied = false;
}

COSFORMER_INLINE void move_state(DotPlan& p, int64_t floats) {
  move_state(static_cast<Plan&>(p), floats);
  p.state_rows += floats;
  if (p.state_columns) p.state_columns += floats;
}

/// The copies of the panel that begins at a column.
COSFORMER_INLINE StateCopies copies_of(const DotPlan& p, int64_t N, int64_t column) {
  return {p.state_rows + p.rows / 2 * N * column,
          p.state_columns ? p.state_columns + p.rows * N * (column / 2) : nullptr};
}

template <int N, int V>
void refresh_panel(const DotPlan& p, int64_t column) {
  const float* panel = panel_of(p.state, p, N, column);
  for (int64_t k0 = 0; k0 < p.rows; k0 += kTileRows) {
    Vec acc[kTileRows][N][V];
    for (int k = 0; k < kTileRows; ++k) {
      for (int n = 0; n < N; ++n) {
        for (int v = 0; v < V; ++v) acc[k][n][v] = load(panel + (((k0 + k) * N + n) * V + v) * W);
      }
    }
    copy_tile<N, V>(acc, copies_of(p, N, column), k0, p.interleave);
  }
}

inline void refresh_copies(const Sweep<bfloat16>& s, const DotPlan& p) {
  for_panels(p.ld_u, [&]<int V>(int64_t column) {
    s.N == 2 ? refresh_panel<2, V>(p, column) : refresh_panel<1, V>(p, column);
  });
}

/// Two vectors of a row become one.
COSFORMER_INLINE void write_row(const DotPlan& p, const Vec (&row)[2], bfloat16* to, const bfloat16* gate,
                                bool streams, int64_t lanes) {
  if (lanes < kHalves) return write_row(static_cast<const Plan&>(p), row, to, gate, streams, lanes);
  Halves v = narrow(row[0], row[1]);
  if (gate) v = where_positive(v, _mm512_loadu_si512(gate));
  if (streams) {
    _mm512_stream_si512(reinterpret_cast<Halves*>(to), v);
  } else {
    store_halves(to, v);
  }
}

/// Two rows of y, [row, row + 1], as they are and in pairs; `second` false: the second is not there.
template <bool kRelu>
void pack_y_rows(const DotPlan& p, const RowSource<bfloat16>& source, int64_t first, int64_t at,
                 bool second) {
  const bfloat16* a = source.row(first);
  const bfloat16* b = second ? source.row(first + 1) : a;
  const int64_t width = p.X, ld = p.ld_y;
  bfloat16* const rows = p.y_rows + at * ld;
  Pair* const pairs = p.y_pairs + at / 2 * ld;
  for (int64_t c = 0; c < ld; c += kHalves) {
    Halves x = _mm512_setzero_si512(), y = _mm512_setzero_si512();
    if (c < width) {
      x = load_transformed<kRelu, false>(a + c, width - c, 1);
      if (second) y = load_transformed<kRelu, false>(b + c, width - c, 1);
    }
    store_halves(rows + c, x);
    store_halves(rows + ld + c, y);
    store_halves(pairs + c, p.interleave.lower(x, y));
    store_halves(pairs + c + W, p.interleave.upper(x, y));
  }
}

/// Two rows of u in pairs, and those times the waves.
template <int kWaves, bool kRelu, bool kScaled>
void pack_u_rows(const DotPlan& p, const Sweep<bfloat16>& s, const RowSource<bfloat16>& source, int64_t first,
                 int64_t at, int64_t r, bool second) {
  const bfloat16* a = source.row(first) + s.u_begin;
  const bfloat16* b = second ? source.row(first + 1) + s.u_begin : a;
  const bool twin = p.twin;
  const float scale_a = source.scale_of(first), scale_b = second ? source.scale_of(first + 1) : 0.0F;
  const int64_t columns = p.columns, ld = p.ld_u, ld_rows = p.ld_u_rows;
  bfloat16* const rows = twin ? p.u_rows + at * ld_rows : nullptr;
  Pair* const pairs = p.u_pairs + at / 2 * ld;
  Pair* wave_pairs[2] = {};
  Vec wave[2][2];
#pragma GCC unroll 2
  for (int n = 0; n < kWaves; ++n) {
    wave_pairs[n] = p.u_wave_pairs[n] + at / 2 * ld;
    // A wave beyond the chunk's rows is zero, and so is that row.
    wave[n][0] = broadcast(p.wave[n][r]);
    wave[n][1] = broadcast(p.wave[n][r + 1]);
  }
  for (int64_t c = 0; c < ld; c += kHalves) {
    const Halves x = load_transformed<kRelu, kScaled>(a + c, columns - c, scale_a);
    const Halves y =
        second ? load_transformed<kRelu, kScaled>(b + c, columns - c, scale_b) : _mm512_setzero_si512();
    if (twin) {
      store_halves(rows + c, x);
      store_halves(rows + ld_rows + c, y);
    }
#pragma GCC unroll 2
    for (int64_t half = 0; half < 2; ++half) {
      const int64_t at_column = c + half * W;
      if (at_column >= ld) break;
      const Halves pair = half == 0 ? p.interleave.lower(x, y) : p.interleave.upper(x, y);
      store_halves(pairs + at_column, pair);
#pragma GCC unroll 2
      for (int n = 0; n < kWaves; ++n) {
        store_halves(wave_pairs[n] + at_column,
                     p.interleave.floats(first_of(pair) * wave[n][0], second_of(pair) * wave[n][1]));
      }
    }
  }
}

inline void pack_chunk(const Sweep<bfloat16>& s, const DotPlan& p, int64_t first, int64_t count,
                       bool for_state) {
  pack_terms(s, p, first, count, for_state);
  const int waves = for_state ? p.waves : 0;
  for (int64_t h = 0; h < s.y_heads; ++h) {
    const int64_t row = h * p.head_keys;
    const RowSource<bfloat16> y_rows{s.y, s.y_side, h, s.relu_y};
    const RowSource<bfloat16> u_rows{s.u, s.y_side, h, s.relu_u, s.u_scale.head(h)};
    as_transformed(y_rows, [&]<bool kRelu, bool>() {
      for (int64_t r = 0; r < count; r += 2) {
        pack_y_rows<kRelu>(p, y_rows, first + r, row + r, r + 1 < count);
      }
    });
    as_transformed(u_rows, [&]<bool kRelu, bool kScaled>() {
      for (int64_t r = 0; r < count; r += 2) {
        const bool second = r + 1 < count;
        if (waves == 2) {
          pack_u_rows<2, kRelu, kScaled>(p, s, u_rows, first + r, row + r, r, second);
        } else if (waves == 1) {
          pack_u_rows<1, kRelu, kScaled>(p, s, u_rows, first + r, row + r, r, second);
        } else {
          pack_u_rows<0, kRelu, kScaled>(p, s, u_rows, first + r, row + r, r, second);
        }
      }
    });
    // Rows that are scored but not there.
    const int64_t begin = round_up(count, 2), missing = round_up(count, R) - begin;
    if (missing > 0) {
      clear(reinterpret_cast<float*>(p.y_rows + (row + begin) * p.ld_y), missing * p.ld_y / 2);
      clear(reinterpret_cast<float*>(p.y_pairs + (row + begin) / 2 * p.ld_y), missing / 2 * p.ld_y);
      clear(reinterpret_cast<float*>(p.u_pairs + (row + begin) / 2 * p.ld_u), missing / 2 * p.ld_u);
      if (p.twin)
        clear(reinterpret_cast<float*>(p.u_rows + (row + begin) * p.ld_u_rows), missing * p.ld_u_rows / 2);
    }
  }
}

template <int N, int V, bool kFade>
COSFORMER_INLINE void update_panel(const Sweep<bfloat16>& s, const DotPlan& p, int64_t column, int64_t count,
                                   float fade, Prefetch& ahead) {
  float* panel = panel_of(p.state, p, N, column);
  const StateCopies copies = copies_of(p, N, column), none = {nullptr, nullptr};
  for (int64_t h = 0; h < s.y_heads; ++h) {
    const int64_t row = h * p.head_keys / 2;
    const Pair* const u[2] = {p.u_wave_pairs[0] + row * p.ld_u + column,
                              N == 2 ? p.u_wave_pairs[1] + row * p.ld_u + column : nullptr};
    const bool copy = p.copied && h + 1 == s.y_heads;
    for (int64_t k = 0; k < p.rows; k += kTileRows) {
      ahead.next_tile();
      const Pair* y = p.y_pairs + row * p.ld_y;
      if (kFade && h == 0) {
        dot_update_tile<N, V, true>(panel, copy ? copies : none, y, p.ld_y, u, p.ld_u, (count + 1) / 2, k,
                                    fade, p.interleave, ahead);
      } else {
        dot_update_tile<N, V, false>(panel, copy ? copies : none, y, p.ld_y, u, p.ld_u, (count + 1) / 2, k,
                                     fade, p.interleave, ahead);
      }
    }
  }
}

/// Two rows of pairs, as floats, times their factors.
template <int N>
COSFORMER_INLINE void add_pair_rows(const DotPlan& p, int64_t c, const Pair* pairs_of_rows, int64_t ld,
                                    int64_t heads, int64_t count, float fade) {
  Vec acc[N];
#pragma GCC unroll 2
  for (int n = 0; n < N; ++n) acc[n] = load(p.sum + n * p.ld_sum + c) * fade;
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t r = h * p.head_keys; r < h * p.head_keys + count; r += 2) {
      const Halves pair = _mm512_loadu_si512(pairs_of_rows + r / 2 * ld + c);
      const bool second = r + 1 < h * p.head_keys + count;
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
        acc[n] += first_of(pair) * p.factor[n][r];
        if (second) acc[n] += second_of(pair) * p.factor[n][r + 1];
      }
    }
  }
#pragma GCC unroll 2
  for (int n = 0; n < N; ++n) store(p.sum + n * p.ld_sum + c, acc[n]);
}

template <int N>
void update_sum(const Sweep<bfloat16>& s, const DotPlan& p, int64_t count, float fade) {
  if (s.sum == Sum::none) return;
  const bool of_u = s.sum == Sum::u;
  for (int64_t c = 0; c < p.ld_sum; c += W) {
    add_pair_rows<N>(p, c, of_u ? p.u_pairs : p.y_pairs, of_u ? p.ld_u : p.ld_y, s.y_heads, count, fade);
  }
}

inline void pack_block(const Sweep<bfloat16>& s, const DotPlan& p, Block& block) {
  if (!s.twin_alone) {
    pack_pairs_transposed(
        pairs(block.xT), RowSource<bfloat16>{s.x, s.x_side, block.head, s.relu_x, s.x_scale.head(block.head)},
        block.first, block.count, s.X);
  }
  if (p.twin) {
    pack_pairs_transposed(pairs(block.wT), RowSource<bfloat16>{s.w, s.x_side, block.head}, block.first,
                          block.count, p.columns);
  }
}

/// As Scores: pairs of scores into `out`, single ones of the triangle into `triangle`.
struct DotScores {
  Pair* out;        // [rows / 2][R]
  float* triangle;  // [R][R]
  const float* weights;
  const float *lane_start, *row_start;
};

COSFORMER_INLINE Vec start_of_scores(const DotScores& to, int64_t j) {
  const Vec start = to.lane_start ? load(to.lane_start) : zero();
  return to.row_start ? start + to.row_start[j] : start;
}

/// As finish_scores; from the block's own row `own` on where that is not negative.
template <int kKeys>
COSFORMER_INLINE void finish_dot_scores(Vec (&tile)[kKeys], const DotScores& to, const Interleave& interleave,
                                        const Block& block, int64_t j0, int64_t own, Vec& sums) {
  Vec part[2] = {};
#pragma GCC unroll 16
  for (int j = 0; j < kKeys; ++j) {
    if (to.weights) tile[j] *= load(to.weights + block.first - block.chunk_first - (j0 + j));
    Vec seen = tile[j];
    if (own >= 0) {
      store(to.triangle + (own + j) * R, tile[j]);
      seen = lane_numbers() >= static_cast<int32_t>(own + j) ? seen : zero();
    }
    part[j % 2] += seen;
  }
  sums += part[0] + part[1];
#pragma GCC unroll 8
  for (int j = 0; j < kKeys; j += 2) {
    store_halves(to.out + (j0 + j) / 2 * R, interleave.floats(tile[j], tile[j + 1]));
  }
}

template <int kKeys>
COSFORMER_INLINE void score_dot_keys(const DotScores& to, const Interleave& interleave, const Pair* xT,
                                     int64_t width, const Pair* y, int64_t ld_y, const Block& block,
                                     int64_t j0, int64_t own, Vec& sums) {
  Vec tile[kKeys];
#pragma GCC unroll 16
  for (int j = 0; j < kKeys; ++j) tile[j] = start_of_scores(to, j0 + j);
  dot_score_tile<kKeys>(tile, xT, y + j0 * ld_y, ld_y, (width + 1) / 2);
  finish_dot_scores<kKeys>(tile, to, interleave, block, j0, own, sums);
}

/// As score_rows.
COSFORMER_INLINE void dot_score_rows(const DotScores& to, const Interleave& interleave, const Pair* xT,
                                     int64_t width, const Pair* y, int64_t ld_y, const Block& block,
                                     Vec& sums) {
  constexpr int kHalf = R / 2;
  int64_t j0 = 0;
  for (; j0 < block.keys; j0 += R) score_dot_keys<R>(to, interleave, xT, width, y, ld_y, block, j0, -1, sums);
  if (!block.triangle) return;
  score_dot_keys<kHalf>(to, interleave, xT, width, y, ld_y, block, j0, 0, sums);
  j0 += kHalf;
  HalfLanes corner[kHalf];
#pragma GCC unroll 8
  for (int j = 0; j < kHalf; ++j) corner[j] = last_half(start_of_scores(to, j0 + j));
  dot_score_corner(corner, xT, y + j0 * ld_y, ld_y, (width + 1) / 2);
  Vec tile[kHalf];
#pragma GCC unroll 8
  for (int j = 0; j < kHalf; ++j) tile[j] = with_last_half(corner[j]);
  finish_dot_scores<kHalf>(tile, to, interleave, block, j0, kHalf, sums);
}

/// Scores of the triangle of a head, behind the pairs.
COSFORMER_INLINE float* triangle_of(float* scores, const DotPlan& p, int64_t head) {
  return scores + p.keys / 2 * R + head * R * R;
}

inline void score_block(const Sweep<bfloat16>& s, const DotPlan& p, Block& block, bool with_pairs) {
  Vec sums[1] = {};
  alignas(64) float terms[R];
  const float* lane_start = lane_terms(s, block, terms) ? terms : nullptr;
  for (int64_t h = 0; with_pairs && h < s.y_heads; ++h) {
    const int64_t row = h * p.head_keys;
    if (!s.twin_alone) {
      dot_score_rows({pairs(block.scores) + row / 2 * R, triangle_of(block.scores, p, h), s.weights,
                      lane_start, nullptr},
                     p.interleave, pairs(block.xT), s.X,
                     reinterpret_cast<const Pair*>(p.y_rows + row * p.ld_y), p.ld_y / 2, block, sums[0]);
    }
    if (!p.twin) continue;
    Vec unused{};
    dot_score_rows({pairs(block.twin_scores) + row / 2 * R, triangle_of(block.twin_scores, p, h), s.weights,
                    nullptr, s.b.data ? p.b + row : nullptr},
                   p.interleave, pairs(block.wT), p.columns,
                   reinterpret_cast<const Pair*>(p.u_rows + row * p.ld_u_rows), p.ld_u_rows / 2, block,
                   unused);
  }
  if (s.normalize) finish_denominators(s, p, block, sums);
}

/// Columns beyond X are zero in both.
template <int N>
COSFORMER_INLINE Vec read_sum(const Block& block, const DotPlan& p, int) {
  const Pair* xT = pairs(block.xT);
  Vec part[N][2] = {};
  for (int64_t k = 0; k < p.X; k += 2) {
    const Halves x = _mm512_loadu_si512(xT + k / 2 * R);
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
      part[n][0] += first_of(x) * p.sum[n * p.ld_sum + k];
      part[n][1] += second_of(x) * p.sum[n * p.ld_sum + k + 1];
    }
  }
  Vec total = (part[0][0] + part[0][1]) * load(block.wave[0]);
  if constexpr (N == 2) total += (part[1][0] + part[1][1]) * load(block.wave[1]);
  return total;
}

template <int N, int V>
COSFORMER_INLINE void read_state(Vec (&acc)[kTileRows][V], const DotPlan& p, const Block& block,
                                 int64_t column, int64_t r0, const Prefetch* ahead) {
  dot_read_tile<N, V>(acc, pairs(block.xT), (p.X + 1) / 2, copies_of(p, N, column).rows, block.wave, r0,
                      ahead);
}

template <int V>
COSFORMER_INLINE void add_pairs(Vec (&acc)[kTileRows][V], const DotPlan& p, const Block& block, int64_t head,
                                int64_t column, int64_t r0) {
  const int64_t row = head * p.head_keys / 2;
  dot_pair_tile<V>(acc, pairs(block.scores) + row * R, triangle_of(block.scores, p, head),
                   p.u_pairs + row * p.ld_u + column, p.ld_u, block.keys, block.triangle, r0);
}

template <int V>
COSFORMER_INLINE void add_twin_pairs(Vec (&acc)[kTileRows][V], const DotPlan& p, const Block& block,
                                     int64_t head, int64_t column, int64_t r0) {
  const int64_t row = head * p.head_keys / 2;
  dot_pair_tile<V>(acc, pairs(block.twin_scores) + row * R, triangle_of(block.twin_scores, p, head),
                   p.y_pairs + row * p.ld_y + column, p.ld_y, block.keys, block.triangle, r0);
}

template <bool kFirst, int N>
COSFORMER_INLINE void read_twin(const DotPlan& p, const Block& block, int64_t column, int64_t panel) {
  const int64_t columns = smaller(panel, p.columns - column);
  for (int64_t k = 0; k < p.rows; k += kTwinRows) {
    dot_twin_tile<kFirst, N>(block.twin, block.wave, copies_of(p, N, column).columns, panel,
                             pairs(block.wT) + column / 2 * R, (columns + 1) / 2, k);
  }
}

}  // namespace
}  // namespace cosformer::cpu

#endif
