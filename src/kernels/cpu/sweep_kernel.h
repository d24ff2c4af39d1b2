#pragma once

// A sweep over the chunks of one head (docs/kernels.md). A chunk's keys and values are packed once; for each
// block of R queries: x transposed, scores with all keys of the chunk that the block sees, then for each
// panel of columns the block is read and, at the chunk's last block, the panel of the state is updated while
// it lies in the first-level cache.

#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/tiles.h"

namespace cosformer::cpu {
namespace {

/// Sizes that follow from a sweep, and where its buffers lie in the scratch memory.
struct Plan {
  int64_t width;    // contraction width with the extra column
  int64_t ld_y;     // width padded to whole vectors
  int64_t rows;     // rows of the state: width padded to kStateRows
  int64_t columns;  // u_end - u_begin
  int64_t ld_u;     // columns padded to whole vectors
  int64_t keys;     // keys of a chunk, padded to R
  float *xT, *y, *u, *u_cos, *u_sin, *scores, *state, *z;
  int64_t floats;       // of scratch memory, for one head
  int64_t head_floats;  // of it, what each further head adds
};

Plan make_plan(const Sweep& s, float* scratch) {
  Plan p{};
  p.width = s.X + (s.x.extra || s.y.extra ? 1 : 0);
  p.ld_y = round_up(p.width, W);
  p.rows = round_up(p.width, kStateRows);
  p.columns = s.u_end - s.u_begin;
  p.ld_u = round_up(p.columns, W);
  p.keys = round_up(smaller(s.chunk, s.keys), R);
  const auto take = [&](int64_t floats) {
    float* start = scratch ? scratch + p.floats : nullptr;
    p.floats += round_up(floats, 16);
    return start;
  };
  p.xT = take(p.width * R);
  p.y = take(p.keys * p.ld_y);
  p.u = take(p.keys * p.ld_u);
  p.u_cos = take(p.keys * p.ld_u);
  p.u_sin = take(p.keys * p.ld_u);
  p.scores = take(p.keys * R);
  // States of several heads follow each other, each with its z.
  const int64_t before = p.floats;
  p.state = take(p.rows * p.ld_u * s.N);
  p.z = take(2 * p.ld_y);
  p.head_floats = p.floats - before;
  return p;
}

int64_t scratch_floats(const Sweep& s, int64_t heads) {
  const Plan p = make_plan(s, nullptr);
  return p.floats + (heads - 1) * p.head_floats;
}

int64_t packed_state_floats(const Sweep& s) {
  const Plan p = make_plan(s, nullptr);
  return p.rows * p.ld_u * s.N;
}

/// Panel that begins at a column of the packed state: [rows][N][panel].
COSFORMER_INLINE float* panel_of(float* state, const Plan& p, int64_t N, int64_t column) {
  return state + p.rows * N * column;
}

void clear(float* p, int64_t floats) {
  for (int64_t i = 0; i < floats; i += W) store(p + i, zero());
}

/// Copies between the caller's state and the packed one.
template <bool kStore>
void convert_state(const Sweep& s, const Plan& p, const StateView& view) {
  for (int64_t column = 0; column < p.ld_u; column += kPanel) {
    const int64_t panel = smaller(kPanel, p.ld_u - column);
    float* packed = panel_of(p.state, p, s.N, column);
    for (int64_t n = 0; n < s.N; ++n) {
      for (int64_t k = 0; k < p.width; ++k) {
        float* source = k < s.X ? view.data + n * view.n_stride + k * view.x_stride
                                : view.extra + n * view.extra_n_stride;
        const int64_t step = k < s.X ? view.u_stride : view.extra_u_stride;
        float* row = packed + (k * s.N + n) * panel;
        for (int64_t c = 0; c < smaller(panel, p.columns - column); ++c) {
          float& outside = source[(s.u_begin + column + c) * step];
          if constexpr (kStore) {
            outside = row[c];
          } else {
            row[c] = outside;
          }
        }
      }
    }
  }
}

void load_state(const Sweep& s, const Plan& p) {
  clear(p.state, p.rows * p.ld_u * s.N);
  clear(p.z, 2 * p.ld_y);
  if (s.first.data) convert_state<false>(s, p, s.first);
  for (int64_t n = 0; s.z_first && n < s.N; ++n) {
    for (int64_t k = 0; k < s.X; ++k) p.z[n * p.ld_y + k] = s.z_first[n * s.X + k];
  }
}

void store_state(const Sweep& s, const Plan& p) {
  if (s.last.data) convert_state<true>(s, p, s.last);
  for (int64_t n = 0; s.z_last && n < s.N; ++n) {
    for (int64_t k = 0; k < s.X; ++k) s.z_last[n * s.X + k] = p.z[n * p.ld_y + k];
  }
}

/// Keys [first, first + count) into y, u and, where the state takes them in, u times cos and sin.
void pack_keys(const Sweep& s, const Plan& p, int64_t first, int64_t count, bool for_state) {
  const int64_t padded = round_up(count, R);
  pack_rows(p.y, p.ld_y, s.y, first, count, padded, 0, s.X);
  pack_rows(p.u, p.ld_u, s.u, first, count, padded, s.u_begin, s.u_end);
  if (for_state && s.N == 2) {
    scale_rows(p.u_cos, p.u, p.ld_u, count, s.y_cos + first * s.angle_step, s.angle_step);
    scale_rows(p.u_sin, p.u, p.ld_u, count, s.y_sin + first * s.angle_step, s.angle_step);
  }
}

template <int N, int V>
COSFORMER_INLINE void update_panel(const Sweep& s, const Plan& p, float* state, int64_t column, int64_t count,
                                   Prefetch& ahead, int64_t lines) {
  const float* const u[2] = {(N == 2 ? p.u_cos : p.u) + column, p.u_sin + column};
  float* panel = panel_of(state, p, s.N, column);
  for (int64_t k = 0; k < p.rows; k += kTileRows) {
    ahead.next(lines);
    update_tile<N, V>(panel, p.y, p.ld_y, u, p.ld_u, count, k);
  }
}

/// z += sum_j k~_j.
void update_z(const Sweep& s, const Plan& p, int64_t first, int64_t count) {
  for (int64_t n = 0; n < s.N; ++n) {
    const float* wave = n == 0 ? s.y_cos : s.y_sin;
    for (int64_t k = 0; k < p.ld_y; k += W) {
      Vec sum = load(p.z + n * p.ld_y + k);
      for (int64_t j = 0; j < count; ++j) {
        const Vec row = load(p.y + j * p.ld_y + k);
        sum += s.N == 2 ? row * wave[(first + j) * s.angle_step] : row;
      }
      store(p.z + n * p.ld_y + k, sum);
    }
  }
}

/// A block of at most R queries while it is worked on.
struct Block {
  int64_t first = 0, count = 0;  // rows of the sweep
  int64_t chunk_first = 0;       // first key of the chunk
  int64_t keys = 0;              // keys of the chunk that all of the block sees
  bool triangle = false;
  bool inter = false;  // the state is not empty
  alignas(64) float cos[R];
  alignas(64) float sin[R];
  alignas(64) float inverse[R];  // what rows are multiplied by at the end
};

void begin_block(const Sweep& s, const Plan& p, Block& block) {
  pack_transposed(p.xT, s.x, block.first, block.count, s.X);
  for (int r = 0; r < R; ++r) {
    const int64_t row = block.first + smaller(r, block.count - 1);
    block.cos[r] = s.N == 2 ? s.x_cos[row * s.angle_step] : 1.0F;
    block.sin[r] = s.N == 2 ? s.x_sin[row * s.angle_step] : 0.0F;
    block.inverse[r] = 1.0F;
  }
}

/// Weighted scores of the block with the chunk's keys into p.scores; their sums into `denominators`.
COSFORMER_INLINE void score_block(const Sweep& s, const Plan& p, const Block& block, Vec (&denominators)[L]) {
  const int64_t total = block.keys + (block.triangle ? R : 0);
  for (int64_t j0 = 0; j0 < total; j0 += kScoreKeys) {
    Vec scores[kScoreKeys][L];
    score_tile(scores, p.xT, p.y + j0 * p.ld_y, p.ld_y, p.width);
#pragma GCC unroll 16
    for (int j = 0; j < kScoreKeys; ++j) {
#pragma GCC unroll 4
      for (int l = 0; l < L; ++l) {
        Vec weight = scores[j][l];
        if (s.toeplitz) weight *= load(s.toeplitz + block.first - block.chunk_first - (j0 + j) + l * W);
        store(p.scores + (j0 + j) * R + l * W, weight);
        if (j0 + j >= block.keys) {
          const IntVec lane = lane_numbers() + (l * W - static_cast<int32_t>(j0 + j - block.keys));
          weight = lane >= 0 ? weight : zero();
        }
        denominators[l] += weight;
      }
    }
  }
}

/// sum_j w_ij of the block, from the scores and from z; sets block.inverse.
COSFORMER_INLINE void finish_denominators(const Sweep& s, const Plan& p, Block& block,
                                          Vec (&denominators)[L]) {
#pragma GCC unroll 4
  for (int l = 0; l < L; ++l) {
    if (block.inter) {
      Vec with_cos = zero(), with_sin = zero();
      for (int64_t k = 0; k < s.X; ++k) {
        const Vec x = load(p.xT + k * R + l * W);
        with_cos += x * p.z[k];
        with_sin += x * p.z[p.ld_y + k];
      }
      denominators[l] += with_cos * load(block.cos + l * W) + with_sin * load(block.sin + l * W);
    }
    const Vec clamped = denominators[l] < broadcast(s.eps) ? broadcast(s.eps) : denominators[l];
    store(block.inverse + l * W, 1.0F / clamped);
    if (s.denominator) {
      for (int64_t r = 0; r < smaller(W, block.count - l * W); ++r) {
        s.denominator[(block.first + l * W + r) * s.denominator_stride] = denominators[l][r];
      }
    }
  }
}

/// Reads one panel for the block's rows and writes the output.
template <int N, int V>
COSFORMER_INLINE void read_panel(const Sweep& s, const Plan& p, const Block& block, const float* state,
                                 int64_t column) {
  ReadTile tile;
  tile.xT = p.xT;
  tile.width = p.width;
  tile.state = block.inter ? state + p.rows * N * column : nullptr;
  tile.cos = block.cos;
  tile.sin = block.sin;
  tile.scores = p.scores;
  tile.u = p.u + column;
  tile.ld_u = p.ld_u;
  tile.all_keys = block.keys;
  tile.triangle = block.triangle;
  for (int64_t r0 = 0; r0 < block.count; r0 += kTileRows) {
    Vec acc[kTileRows][V];
    read_tile<N, V>(acc, tile, r0);
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
      if (r0 + r >= block.count) break;
      const int64_t row = block.first + r0 + r;
      float* out = s.out + row * s.out_stride + s.u_begin + column;
      const float* gate = s.gate ? s.gate + row * s.gate_stride + s.u_begin + column : nullptr;
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) {
        const int64_t lanes = p.columns - column - v * W;
        Vec value = acc[r][v] * block.inverse[r0 + r];
        if (gate) {
          const Vec source = lanes >= W ? load(gate + v * W) : load_partial(gate + v * W, lanes);
          value = source <= zero() ? zero() : value;
        }
        if (lanes >= W) {
          store(out + v * W, value);
        } else {
          store_partial(out + v * W, value, lanes);
        }
      }
    }
  }
}

/// Reads all panels for the block and, with update_keys > 0, takes that many packed keys into each panel
/// after it, asking for the rows of `ahead` meanwhile.
template <int N>
void panels(const Sweep& s, const Plan& p, const Block* block, float* state, int64_t update_keys,
            Prefetch& ahead) {
  // At least one: K or V may be 0.
  const int64_t tiles = std::max<int64_t>(1, (p.ld_u + kPanel - 1) / kPanel * (p.rows / kTileRows));
  const int64_t lines = (ahead.lines() + tiles - 1) / tiles;
  for (int64_t column = 0; column < p.ld_u; column += kPanel) {
    if (p.ld_u - column >= kPanel) {
      if (block) read_panel<N, kPanelVectors>(s, p, *block, state, column);
      if (update_keys > 0) update_panel<N, kPanelVectors>(s, p, state, column, update_keys, ahead, lines);
    } else {
      if (block) read_panel<N, 1>(s, p, *block, state, column);
      if (update_keys > 0) update_panel<N, 1>(s, p, state, column, update_keys, ahead, lines);
    }
  }
}

void panels(const Sweep& s, const Plan& p, const Block* block, float* state, int64_t update_keys,
            Prefetch& ahead) {
  s.N == 2 ? panels<2>(s, p, block, state, update_keys, ahead)
           : panels<1>(s, p, block, state, update_keys, ahead);
}

/// Rows of keys, values and, with `queries`, of what a block reads and writes.
Prefetch rows_ahead(const Sweep& s, const Plan& p, int64_t first, int64_t count, bool queries) {
  Prefetch ahead;
  ahead.add(s.y.data, s.y.stride, first, count, s.X);
  ahead.add(s.u.data + s.u_begin, s.u.stride, first, count, p.columns);
  if (!queries) return ahead;
  ahead.add(s.x.data, s.x.stride, first, count, s.X);
  if (s.gate) ahead.add(s.gate + s.u_begin, s.gate_stride, first, count, p.columns);
  ahead.add(s.out + s.u_begin, s.out_stride, first, count, p.columns);
  return ahead;
}

/// One chunk of one head: its queries read, then the state takes its keys in.
COSFORMER_INLINE void causal_chunk(const Sweep& s, const Plan& p, int64_t chunk, Prefetch& ahead) {
  const int64_t count = smaller(s.chunk, s.keys - chunk);
  const bool update = chunk + count < s.keys || s.last.data || s.z_last;
  pack_keys(s, p, chunk, count, update);
  Block block;
  for (int64_t first = 0; first < count; first += R) {
    block.first = chunk + first;
    block.count = smaller(R, count - first);
    block.chunk_first = chunk;
    block.keys = first;
    block.triangle = true;
    block.inter = chunk > 0 || s.first.data || s.z_first;
    begin_block(s, p, block);
    Vec denominators[L] = {};
    score_block(s, p, block, denominators);
    if (s.normalize) finish_denominators(s, p, block, denominators);
    panels(s, p, &block, p.state, update && first + R >= count ? count : 0, ahead);
  }
  if (update && (s.normalize || s.z_last)) update_z(s, p, chunk, count);
}

/// Heads take turns chunk by chunk: rows of neighbouring heads share memory pages, so each page is visited
/// once.
void causal(const Sweep* sweeps, int64_t heads, float* scratch) {
  Plan p = make_plan(sweeps[0], scratch);
  float* const state = p.state;
  float* const z = p.z;
  const auto at_head = [&](int64_t head) {
    p.state = state + head * p.head_floats;
    p.z = z + head * p.head_floats;
  };
  for (int64_t head = 0; head < heads; ++head) {
    at_head(head);
    load_state(sweeps[head], p);
  }
  const int64_t keys = sweeps[0].keys, chunk_keys = sweeps[0].chunk;
  for (int64_t chunk = 0; chunk < keys; chunk += chunk_keys) {
    for (int64_t head = 0; head < heads; ++head) {
      at_head(head);
      const bool wrap = head + 1 == heads;
      const int64_t next = wrap ? chunk + chunk_keys : chunk;
      Prefetch ahead =
          rows_ahead(sweeps[wrap ? 0 : head + 1], p, next, smaller(chunk_keys, keys - next), true);
      causal_chunk(sweeps[head], p, chunk, ahead);
    }
  }
  for (int64_t head = 0; head < heads; ++head) {
    at_head(head);
    store_state(sweeps[head], p);
  }
}

void dense(const Sweep& s, float* scratch) {
  const Plan p = make_plan(s, scratch);
  pack_keys(s, p, 0, s.keys, false);
  // Keys beyond the last are zero in y and u: they add nothing to a sum.
  Prefetch nothing_ahead;
  Block block;
  for (int64_t first = 0; first < s.queries; first += R) {
    block.first = first;
    block.count = smaller(R, s.queries - first);
    block.keys = p.keys;
    begin_block(s, p, block);
    Vec denominators[L] = {};
    score_block(s, p, block, denominators);
    if (s.normalize) finish_denominators(s, p, block, denominators);
    panels(s, p, &block, p.state, 0, nothing_ahead);
  }
}

void accumulate(const Sweep& s, float* state, float* scratch) {
  const Plan p = make_plan(s, scratch);
  clear(state, p.rows * p.ld_u * s.N);
  clear(p.z, 2 * p.ld_y);
  for (int64_t first = 0; first < s.keys; first += s.chunk) {
    const int64_t count = smaller(s.chunk, s.keys - first);
    pack_keys(s, p, first, count, true);
    Prefetch ahead = rows_ahead(s, p, first + count, smaller(s.chunk, s.keys - first - count), false);
    panels(s, p, nullptr, state, count, ahead);
    if (s.z_last) update_z(s, p, first, count);
  }
  for (int64_t n = 0; s.z_last && n < s.N; ++n) {
    for (int64_t k = 0; k < s.X; ++k) s.z_last[n * s.X + k] = p.z[n * p.ld_y + k];
  }
}

void read(const Sweep& s, const float* state, float* scratch) {
  const Plan p = make_plan(s, scratch);
  clear(p.z, 2 * p.ld_y);
  for (int64_t n = 0; s.z_first && n < s.N; ++n) {
    for (int64_t k = 0; k < s.X; ++k) p.z[n * p.ld_y + k] = s.z_first[n * s.X + k];
  }
  Prefetch nothing_ahead;
  Block block;
  block.inter = true;
  for (int64_t first = 0; first < s.queries; first += R) {
    block.first = first;
    block.count = smaller(R, s.queries - first);
    begin_block(s, p, block);
    Vec denominators[L] = {};
    if (s.normalize) finish_denominators(s, p, block, denominators);
    panels(s, p, &block, const_cast<float*>(state), 0, nothing_ahead);
  }
}

}  // namespace
}  // namespace cosformer::cpu
