#pragma once

// Blocks of R rows of x: packed, scored with the rows of y that they see, and written.

#include "kernels/cpu/state_kernel.h"

namespace cosformer::cpu {
namespace {

template <class T>
void pack_block(const Sweep<T>& s, const Plan& p, Block& block) {
  if (!s.twin_alone) {
    pack_transposed(block.xT, RowSource<T>{s.x, s.x_side, block.head, s.relu_x, s.x_scale.head(block.head)},
                    block.first, block.count, s.X);
  }
  if (p.twin) {
    pack_transposed(block.wT, RowSource<T>{s.w, s.x_side, block.head}, block.first, block.count, p.columns);
  }
}

template <class P, class T>
void begin_block(const Sweep<T>& s, const P& p, Block& block) {
  pack_block(s, p, block);
  copy_terms(block.wave[0], s.x_side.cos, s.x_side, block.first, block.count);
  copy_terms(block.wave[1], s.x_side.sin, s.x_side, block.first, block.count);
  copy_terms(block.inverse, nullptr, s.x_side, block.first, R);
  const float* fade = s.x_fade.head(block.head);
  if (!s.decay && !fade) return;
  for (int64_t row = block.first, r = 0; r < block.count; ++r, ++row) {
    float left = s.decay ? s.decay[row - block.chunk_first + s.lag] : 1.0F;
    if (fade) left *= fade[s.x_side.token(row)];
    block.wave[0][r] *= left;
    block.wave[1][r] *= left;
  }
}

/// Where scores of one head of y go and what they are made of: `lane_start` is what a lane's sums start from
/// (a), `row_start` a row's (b); null: 0.
struct Scores {
  float* out;            // [rows][R], each weighted by its distance
  const float* weights;  // null: 1
  const float *lane_start, *row_start;
};

/// Weights kKeys rows of scores from j0 on, stores them and adds what each lane sees to `sums`.
template <int kKeys>
COSFORMER_INLINE void finish_scores(const Vec (&tile)[kKeys][L], const Scores& to, const Block& block,
                                    int64_t j0, Vec (&sums)[L]) {
  Vec part[2][L] = {};
#pragma GCC unroll 16
  for (int j = 0; j < kKeys; ++j) {
#pragma GCC unroll 8
    for (int l = 0; l < L; ++l) {
      Vec score = tile[j][l];
      if (to.weights) score *= load(to.weights + block.first - block.chunk_first - (j0 + j) + l * W);
      store(to.out + (j0 + j) * R + l * W, score);
      if (j0 + j >= block.keys) {
        const IntVec lane = lane_numbers() + (l * W - static_cast<int32_t>(j0 + j - block.keys));
        score = lane >= 0 ? score : zero();
      }
      part[j % 2][l] += score;
    }
  }
#pragma GCC unroll 8
  for (int l = 0; l < L; ++l) sums[l] += part[0][l] + part[1][l];
}

template <int kKeys>
COSFORMER_INLINE void score_keys(const Scores& to, const float* xT, int64_t width, const float* y,
                                 int64_t ld_y, const Block& block, int64_t j0, Vec (&sums)[L]) {
  Vec tile[kKeys][L];
#pragma GCC unroll 16
  for (int j = 0; j < kKeys; ++j) {
#pragma GCC unroll 8
    for (int l = 0; l < L; ++l) {
      tile[j][l] = to.lane_start ? load(to.lane_start + l * W) : zero();
      if (to.row_start) tile[j][l] += to.row_start[j0 + j];
    }
  }
  score_tile<kKeys>(tile, xT, y + j0 * ld_y, ld_y, width);
  finish_scores<kKeys>(tile, to, block, j0, sums);
}

/// The last half of the block's own rows, which its last half of lanes alone sees.
COSFORMER_INLINE void score_last_keys(const Scores& to, const float* xT, int64_t width, const float* y,
                                      int64_t ld_y, const Block& block, int64_t j0, Vec (&sums)[L]) {
  constexpr int kKeys = R / 2;
  HalfLanes corner[kKeys];
#pragma GCC unroll 8
  for (int j = 0; j < kKeys; ++j) {
    corner[j] = to.lane_start ? load_half(to.lane_start + R / 2) : HalfLanes{};
    if (to.row_start) corner[j] += to.row_start[j0 + j];
  }
  score_corner(corner, xT, y + j0 * ld_y, ld_y, width);
  Vec tile[kKeys][L];
#pragma GCC unroll 8
  for (int j = 0; j < kKeys; ++j) set_last_half(tile[j], corner[j]);
  finish_scores<kKeys>(tile, to, block, j0, sums);
}

/// Scores of one head of y, and their sums over what each lane sees.
COSFORMER_INLINE void score_rows(const Scores& to, const float* xT, int64_t width, const float* y,
                                 int64_t ld_y, const Block& block, Vec (&sums)[L]) {
  constexpr int kFewer = kScoreKeys < R / 2 ? kScoreKeys : R / 2;
  const bool corner = kHasHalfLanes && block.triangle;
  const int64_t total = block.keys + (corner ? R / 2 : block.triangle ? R : 0);
  int64_t j0 = 0;
  for (; j0 + kScoreKeys <= total; j0 += kScoreKeys) {
    score_keys<kScoreKeys>(to, xT, width, y, ld_y, block, j0, sums);
  }
  for (; j0 < total; j0 += kFewer) score_keys<kFewer>(to, xT, width, y, ld_y, block, j0, sums);
  if (corner) score_last_keys(to, xT, width, y, ld_y, block, j0, sums);
}

/// What the sum z beside the state adds to the block's denominators.
template <int N>
COSFORMER_INLINE Vec read_sum(const Block& block, const Plan& p, int l) {
  constexpr int kChains = 4;
  Vec part[N][kChains] = {};
  int64_t k = 0;
  for (; k + kChains <= p.X; k += kChains) {
#pragma GCC unroll 8
    for (int i = 0; i < kChains; ++i) {
      const Vec x = load_shared(block.xT + (k + i) * R + l * W);
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) part[n][i] += x * p.sum[n * p.ld_sum + k + i];
    }
  }
  for (; k < p.X; ++k) {
    const Vec x = load(block.xT + k * R + l * W);
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) part[n][0] += x * p.sum[n * p.ld_sum + k];
  }
  Vec total = zero();
#pragma GCC unroll 2
  for (int n = 0; n < N; ++n) {
    total += (part[n][0] + part[n][1] + (part[n][2] + part[n][3])) * load(block.wave[n] + l * W);
  }
  return total;
}

/// Sets block.inverse from the sums of its scores and z.
template <class P, class T>
COSFORMER_INLINE void finish_denominators(const Sweep<T>& s, const P& p, Block& block, Vec (&sums)[L]) {
#pragma GCC unroll 8
  for (int l = 0; l < L; ++l) {
    if (block.inter) sums[l] += s.N == 2 ? read_sum<2>(block, p, l) : read_sum<1>(block, p, l);
    const Vec clamped = sums[l] < broadcast(s.eps) ? broadcast(s.eps) : sums[l];
    store(block.inverse + l * W, 1.0F / clamped);
    if (!s.denominator.data) continue;
    alignas(64) float lanes[W];
    store(lanes, sums[l]);
    for (int64_t r = 0; r < smaller(W, block.count - l * W); ++r) {
      *s.denominator.line(block.head, s.x_side.line(block.first + l * W + r)) = lanes[r];
    }
  }
}

/// What the block's lanes start their scores from, a; false: from 0.
template <class T>
bool lane_terms(const Sweep<T>& s, const Block& block, float (&terms)[R]) {
  const float* a = s.a.head(block.head);
  if (!a) return false;
  copy_terms(terms, a, s.x_side, block.first, block.count);
  return true;
}

template <class T>
void score_block(const Sweep<T>& s, const Plan& p, Block& block, bool pairs) {
  Vec sums[L] = {};
  alignas(64) float terms[R];
  const float* lane_start = lane_terms(s, block, terms) ? terms : nullptr;
  for (int64_t h = 0; pairs && h < s.y_heads; ++h) {
    const int64_t row = h * p.head_keys;
    if (!s.twin_alone) {
      score_rows({block.scores + row * R, s.weights, lane_start, nullptr}, block.xT, s.X, p.y + row * p.ld_y,
                 p.ld_y, block, sums);
    }
    if (!p.twin) continue;
    Vec unused[L] = {};
    score_rows({block.twin_scores + row * R, s.weights, nullptr, s.b.data ? p.b + row : nullptr}, block.wT,
               p.columns, p.u + row * p.ld_u, p.ld_u, block, unused);
  }
  if (s.normalize) finish_denominators(s, p, block, sums);
}

/// The block's rows [r0, r0 + kTileRows) read a panel of the state.
template <int N, int V>
COSFORMER_INLINE void read_state(Vec (&acc)[kTileRows][V], const Plan& p, const Block& block, int64_t column,
                                 int64_t r0, const Prefetch* ahead) {
  read_tile<N, V>(acc, block.xT, p.X, panel_of(p.state, p, N, column), block.wave, r0, ahead);
}

/// They add what they see of one head's rows of u, and for the twin of y.
template <int V>
COSFORMER_INLINE void add_pairs(Vec (&acc)[kTileRows][V], const Plan& p, const Block& block, int64_t head,
                                int64_t column, int64_t r0) {
  const int64_t row = head * p.head_keys;
  pair_tile<V>(acc, block.scores + row * R, p.u + row * p.ld_u + column, p.ld_u, block.keys, block.triangle,
               r0);
}
template <int V>
COSFORMER_INLINE void add_twin_pairs(Vec (&acc)[kTileRows][V], const Plan& p, const Block& block,
                                     int64_t head, int64_t column, int64_t r0) {
  const int64_t row = head * p.head_keys;
  pair_tile<V>(acc, block.twin_scores + row * R, p.y + row * p.ld_y + column, p.ld_y, block.keys,
               block.triangle, r0);
}

/// Writes a row of a tile, `lanes` columns; where `gate` is not null and not positive, 0.
template <int V, class T>
COSFORMER_INLINE void write_row(const Plan&, const Vec (&row)[V], T* to, const T* gate, bool streams,
                                int64_t lanes) {
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const int64_t left = lanes - v * W;
    if (left <= 0) break;
    Vec value = row[v];
    if (gate) value = load_up_to(gate + v * W, left) <= zero() ? zero() : value;
    if (streams) {
      stream(to + v * W, value);
    } else {
      store_up_to(to + v * W, value, left);
    }
  }
}

/// Writes a tile of rows [r0, r0 + kTileRows), `lanes` columns from `column` on.
template <int V, class P, class T>
COSFORMER_INLINE void write_tile(const P& p, const Vec (&acc)[kTileRows][V], const Matrix<T>& out,
                                 const Matrix<const T>& gate, bool streams, const Side& side,
                                 const Block& block, int64_t r0, int64_t column, int64_t lanes) {
  const HeadRows<T> outs(out, side, block.head);
  const HeadRows<const T> gates(gate, side, block.head);
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
    if (r0 + r >= block.count) break;
    const int64_t row = block.first + r0 + r;
    write_row(p, acc[r], outs[row] + column, gate.data ? gates[row] + column : nullptr, streams, lanes);
  }
}

/// One panel of columns: the block reads the state and its pairs, and writes. `ahead` null: nothing is asked
/// for.
template <int N, int V, class P, class T>
COSFORMER_INLINE void read_panel(const Sweep<T>& s, const P& p, const Block& block, int64_t column,
                                 bool pairs, Prefetch* ahead) {
  for (int64_t r0 = 0; r0 < block.count; r0 += kTileRows) {
    if (ahead) ahead->next_tile();
    Vec acc[kTileRows][V];
    if (block.inter) {
      read_state<N, V>(acc, p, block, column, r0, ahead);
    } else {
#pragma GCC unroll 8
      for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) acc[r][v] = zero();
      }
    }
    if (s.sum == Sum::u && block.inter) {
      const float* a = s.a.head(block.head);
#pragma GCC unroll 8
      for (int r = 0; r < kTileRows; ++r) {
        const float term = a[s.x_side.token(block.first + smaller(r0 + r, block.count - 1))];
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) {
#pragma GCC unroll 4
          for (int v = 0; v < V; ++v) {
            acc[r][v] += load(p.sum + n * p.ld_sum + column + v * W) * (term * block.wave[n][r0 + r]);
          }
        }
      }
    }
    for (int64_t h = 0; pairs && h < s.y_heads; ++h) add_pairs<V>(acc, p, block, h, column, r0);
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[r][v] *= block.inverse[r0 + r];
    }
    write_tile<V>(p, acc, s.out, s.gate, s.streams, s.x_side, block, r0, s.u_begin + column,
                  p.columns - column);
  }
}

/// The twin's share of one panel of the state.
template <bool kFirst, int N>
COSFORMER_INLINE void read_twin(const Plan& p, const Block& block, int64_t column, int64_t panel) {
  const int64_t columns = smaller(panel, p.columns - column);
  in_even_parts<kTwinRows>(p.rows, [&]<int kRows>(int64_t k) {
    twin_tile<kFirst, N, kRows>(block.twin, block.wave, panel_of(p.state, p, N, column), panel,
                                block.wT + column * R, columns, k);
  });
}

/// After the last panel: lanes become rows, the pairs are added, the twin is written.
template <int V, class P, class T>
COSFORMER_INLINE void write_twin(const Sweep<T>& s, const P& p, const Block& block, int64_t column,
                                 bool pairs) {
  for (int64_t r0 = 0; r0 < block.count; r0 += kTileRows) {
    Vec acc[kTileRows][V];
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        acc[r][v] = block.inter ? load(block.twin_rows + (r0 + r) * p.ld_y + column + v * W) : zero();
      }
    }
    for (int64_t h = 0; pairs && h < s.y_heads; ++h) add_twin_pairs<V>(acc, p, block, h, column, r0);
    write_tile<V>(p, acc, s.twin, s.twin_gate, s.streams, s.x_side, block, r0, column, s.X - column);
  }
}

/// What the sum beside the state adds to row k of the twin.
template <class T>
COSFORMER_INLINE Vec twin_sum(const Sweep<T>& s, const Plan& p, const Block& block, int64_t k, int l) {
  Vec sum = p.sum[k] * load(block.wave[0] + l * W);
  if (s.N == 2) sum += p.sum[p.ld_sum + k] * load(block.wave[1] + l * W);
  return sum;
}

/// The twin's rows, from its lanes and the sum beside the state.
template <class T>
void turn_twin(const Sweep<T>& s, const Plan& p, const Block& block) {
  const bool read = p.columns > 0;  // else no panel has set it
  for (int64_t k = 0; k < s.X; k += W) {
    for (int l = 0; l < L; ++l) {
      Vec rows[W];
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) {
        // Rows of the twin beyond s.X exist up to p.rows only.
        const int64_t row = smaller(k + i, p.rows - 1);
        rows[i] = read ? load(block.twin + row * R + l * W) : zero();
        if (s.sum == Sum::b_y) rows[i] += twin_sum(s, p, block, row, l);
      }
      transpose(rows);
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) store(block.twin_rows + (l * W + i) * p.ld_y + k, rows[i]);
    }
  }
}

template <class P, class T>
void finish_twin(const Sweep<T>& s, const P& p, const Block& block, bool pairs) {
  if (block.inter) turn_twin(s, p, block);
  for_panels(p.ld_y, [&]<int V>(int64_t column) { write_twin<V>(s, p, block, column, pairs); });
}

}  // namespace
}  // namespace cosformer::cpu
