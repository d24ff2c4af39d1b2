#pragma once

// The one operation that attention is made of, forward and backward (docs/kernels.md):
//
//   out_i = sum_j (x_i . y_j + a_i b_j) cos(theta_i - theta_j) u_j  [+ what the initial state holds]
//
//   pass              x           a        y         b        u        order
//   output            phi(q)               phi(k)             v        forward
//   gradient of q     do / den    delta    v         1        phi(k)   forward
//   gradient of k     v           1        do / den  delta    phi(q)   backward
//   gradient of v     phi(k)               phi(q)             do/den   backward
//
// Backward order is forward order on reversed rows: negative strides. Everything here is plain data, the same
// for every instruction set.

#include <cstdint>

namespace cosformer::cpu {

/// Rows of a matrix and what is done to each on the way into the kernel.
struct Rows {
  const float* data = nullptr;
  int64_t stride = 0;  ///< between rows, elements; may be negative
  bool relu = false;
  const float* scale = nullptr;  ///< factor of row r: scale[r * step]; null: 1
  const float* extra = nullptr;  ///< one more column, a_i or b_j: extra[r * extra_step]; null: none
  int64_t step = 0;
  int64_t extra_step = 0;
};

/// A state [N][X (+1)][U] in memory of the caller. The extra row, where there is one, lies in `extra` [N][U].
struct StateView {
  float* data = nullptr;
  int64_t n_stride = 0, x_stride = 0, u_stride = 0;
  float* extra = nullptr;
  int64_t extra_n_stride = 0, extra_u_stride = 0;
};

/// One head of one sequence; columns [u_begin, u_end) of the output.
struct Sweep {
  int64_t queries = 0, keys = 0;
  int64_t X = 0;                   ///< contraction width without the extra column
  int64_t u_begin = 0, u_end = 0;  ///< u_begin a multiple of kColumnAlign
  int64_t N = 1;                   ///< states
  int64_t chunk = 16;              ///< keys between two updates of the state, a multiple of 16
  Rows x, y, u;

  /// cos(theta), sin(theta) of row r at [r * angle_step]; unused with N = 1.
  const float* x_cos = nullptr;
  const float* x_sin = nullptr;
  const float* y_cos = nullptr;
  const float* y_sin = nullptr;
  int64_t angle_step = 1;
  /// cos(pi d / (2 M)) at [d], d from -(length + 16) to length + 16; null: no re-weighting.
  const float* toeplitz = nullptr;

  float* out = nullptr;  ///< row i at out + i * out_stride, column u at [u]
  int64_t out_stride = 0;
  bool normalize = false;  ///< divide by max(sum_j w_ij, eps)
  float eps = 0;
  float* denominator =
      nullptr;  ///< with normalize: row i's sum at [i * denominator_stride]; null: not wanted
  int64_t denominator_stride = 0;
  const float* gate = nullptr;  ///< where gate_i <= 0, out_i becomes 0 (relu's derivative); null: none
  int64_t gate_stride = 0;

  /// States before the first and after the last row; data null: empty, not wanted. z [N][K] of the forward
  /// pass, whose denominators are one more column of u.
  StateView first, last;
  const float* z_first = nullptr;
  float* z_last = nullptr;
};

/// Columns are split between tasks at multiples of this.
inline constexpr int64_t kColumnAlign = 32;
/// Rows that kernels take at once.
inline constexpr int64_t kBlock = 16;

/// One token of one head: S [N][K][V] and z [N][K] are advanced, then read.
struct Step {
  int64_t K = 0, V = 0, N = 1;
  bool relu = true;
  float cos = 1, sin = 0, eps = 0;
  const float* query = nullptr;
  const float* key = nullptr;
  const float* value = nullptr;
  float* out = nullptr;
  float* denominator = nullptr;  ///< null: not wanted
  float* S = nullptr;
  float* z = nullptr;
};

/// Kernels of one instruction set. `scratch` holds scratch_floats(...) floats, aligned to 64 bytes, of any
/// content.
struct Level {
  /// Causal: query i sees keys 0 to i. With chunk >= keys this is the quadratic form. The sweeps differ in
  /// pointers alone.
  void (*causal)(const Sweep* sweeps, int64_t heads, float* scratch);
  /// Every query sees every key, all pairs (quadratic form).
  void (*dense)(const Sweep& sweep, float* scratch);
  /// state += sum over keys, from zero; packed layout, packed_state_floats(...) floats.
  void (*accumulate)(const Sweep& sweep, float* state, float* scratch);
  /// out = what the packed state holds, read by each query.
  void (*read)(const Sweep& sweep, const float* state, float* scratch);
  void (*step)(const Step& step);
  /// scale_i = 1 / max(den_i, eps); delta_i = -scale_i (d_out_i . out_i), 0 where den_i < eps.
  void (*row_terms)(int64_t rows, int64_t V, const float* out, int64_t out_stride, const float* d_out,
                    int64_t d_out_stride, const float* denominator, int64_t denominator_stride, float eps,
                    float* scale, float* delta);
  int64_t (*scratch_floats)(const Sweep& sweep, int64_t heads);
  int64_t (*packed_state_floats)(const Sweep& sweep);
};

}  // namespace cosformer::cpu
