#pragma once

// Sizes that follow from a sweep, and where its buffers lie in a thread's scratch memory.

#include "kernels/cpu/tiles.h"

namespace cosformer::cpu {
namespace {

inline constexpr int64_t kMostBlocks = 8;  // that read a panel of the state one after another

/// What a block of at most R rows of x needs while it is worked on.
struct Block {
  int64_t head = 0, first = 0, count = 0;  // rows of the sweep
  int64_t chunk_first = 0;                 // first row of the chunk
  int64_t keys = 0;                        // rows of y's head that all of the block sees
  bool triangle = false;                   // beyond those, row r sees r + 1 more
  bool inter = false;                      // the state is not empty
  float *xT, *wT;                          // [X][R], [columns][R]
  float *scores, *twin_scores;             // [keys][R], weighted
  float* twin;                             // [rows][R]
  float* twin_rows;                        // [R][ld_y]
  alignas(64) float wave[2][R];  // cos and sin of its rows' angles, times what decay leaves of the state
  alignas(64) float inverse[R];  // what rows are multiplied by at the end
};

/// Of kernels that multiply floats; others derive from it, and the functions that differ take theirs.
struct Plan {
  static constexpr int64_t kAlign = W;  // of rows of y
  static constexpr int64_t kRowAlign = kStateRows;
  static constexpr int64_t kContraction = 1;  // terms of a sum that an instruction adds

  /// Of keys of width K and values of width V. Pairs cost chunk (K + V), traffic of the state K V / chunk
  /// (docs/performance.md).
  static int64_t chunk(int64_t K, int64_t V) { return K * V < 48 * (K + V) ? 16 : 32; }

  int64_t X, columns;          // contraction width; u_end - u_begin
  int64_t ld_y, ld_u, ld_sum;  // padded
  int64_t rows;                // of the state: X padded to kStateRows
  int64_t head_keys, keys;     // rows of a chunk of one head, padded to R; of all heads
  int64_t group;               // blocks that are packed together
  int waves;                   // scaled copies of columns of u; 0: u itself goes into the state
  bool twin;
  float *y, *u;
  float* u_wave[2];    // [head_keys][kPanel], columns of u times a wave
  float* wave[2];      // [head_keys], of the chunk's rows, times what decay leaves of them
  float* b;            // [keys]
  float* factor[2];    // [keys], wave times b
  float *state, *sum;  // the sum lies sum_at behind the state
  int64_t sum_at;
  float* block;                         // the first block's buffers
  int64_t block_floats;                 // of each block
  int64_t state_floats;                 // of a state and its sum
  int64_t floats, floats_each_further;  // of scratch memory, for one sweep; for each further one
};

/// Gives out parts of a buffer that may not exist yet.
struct Place {
  float* start;
  int64_t used = 0;

  float* take(int64_t floats) {
    float* part = start ? start + used : nullptr;
    used += round_up(floats, 16);
    return part;
  }
};

template <class T>
int64_t lay_out(Block& block, const Plan& p, const Sweep<T>&, float* start) {
  Place place{start};
  block.xT = place.take(p.X * R);
  block.scores = place.take(p.keys * R);
  block.wT = place.take(p.twin ? p.columns * R : 0);
  block.twin_scores = place.take(p.twin ? p.keys * R : 0);
  block.twin = place.take(p.twin ? p.rows * R : 0);
  block.twin_rows = place.take(p.twin ? R * p.ld_y : 0);
  return place.used;
}

/// Buffers of a chunk.
template <class T>
void place_chunk(Plan& p, const Sweep<T>& s, Place& place) {
  p.y = place.take(p.keys * p.ld_y);
  p.u = place.take(p.keys * p.ld_u);
  p.b = place.take(s.b.data ? p.keys : 0);
  for (int n = 0; n < 2; ++n) {
    p.u_wave[n] = n < p.waves ? place.take(p.head_keys * kPanel) : nullptr;
    p.wave[n] = place.take(p.head_keys);
    p.factor[n] = place.take(p.keys);
  }
}

/// Buffers of a state that are not the state itself.
template <class T>
void place_copies(Plan&, const Sweep<T>&, Place&) {}

/// Around all work of a task with a plan.
COSFORMER_INLINE void begin_sweeps(const Plan&) {}
COSFORMER_INLINE void end_sweeps(const Plan&) {}

COSFORMER_INLINE void place_state(Plan& p, float* state) {
  p.state = state;
  p.sum = state + p.sum_at;
}

/// For sweeps that only sum a state, which nothing reads yet.
COSFORMER_INLINE void leave_copies(Plan&) {}

/// To the state of another sweep, that many floats further.
COSFORMER_INLINE void move_state(Plan& p, int64_t floats) {
  p.state += floats;
  p.sum += floats;
}

template <class P, class T>
P make_plan(const Sweep<T>& s, float* scratch) {
  P p{};
  p.X = s.X;
  p.columns = s.u_end - s.u_begin;
  p.ld_y = round_up(s.X, P::kAlign);
  p.ld_u = round_up(p.columns, W);
  p.ld_sum = s.sum == Sum::none ? 0 : s.sum == Sum::u ? p.ld_u : round_up(s.X, W);
  p.rows = round_up(s.X, P::kRowAlign);
  p.head_keys = round_up(smaller(s.chunk, s.y_side.count), R);
  p.keys = s.y_heads * p.head_keys;
  p.waves = s.N == 2 ? 2 : s.decay ? 1 : 0;
  p.twin = s.twin.data != nullptr;
  // Where no state is read, a block's scores had better stay in the first-level cache.
  const int64_t longer = s.y_side.count > s.x_side.count ? s.y_side.count : s.x_side.count;
  p.group = s.quadratic ? 1 : smaller(kMostBlocks, s.x_heads * round_up(smaller(s.chunk, longer), R) / R);
  if (p.group < 1) p.group = 1;
  Place place{scratch};
  place_chunk(p, s, place);
  Block block;
  p.block_floats = lay_out(block, p, s, nullptr);
  p.block = place.take(p.group * p.block_floats);
  // States of several sweeps follow each other, each with its sum.
  const int64_t before = place.used;
  p.state = place.take(p.rows * p.ld_u * s.N);
  p.sum_at = place.used - before;
  p.sum = place.take(s.N * p.ld_sum);
  p.state_floats = place.used - before;
  place_copies(p, s, place);
  p.floats = place.used;
  p.floats_each_further = place.used - before;
  return p;
}

template <class P, class T>
int64_t scratch_floats(const Sweep<T>& s, int64_t count) {
  const P p = make_plan<P>(s, nullptr);
  return p.floats + (count - 1) * p.floats_each_further;
}

template <class P, class T>
int64_t packed_state_floats(const Sweep<T>& s) {
  return make_plan<P>(s, nullptr).state_floats;
}

/// Panel that begins at a column of the packed state: [rows][N][panel].
COSFORMER_INLINE float* panel_of(float* state, const Plan& p, int64_t N, int64_t column) {
  return state + p.rows * N * column;
}

}  // namespace
}  // namespace cosformer::cpu
