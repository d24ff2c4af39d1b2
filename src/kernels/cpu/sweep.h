#pragma once

// The one operation that attention is made of, forward and backward (docs/kernels.md):
//
//   out_i = sum_j (x_i . y_j + a_i + b_j) w_ij u_j  [+ what the initial state holds]
//   w_ij  = cos(theta_i - theta_j) exp(-decay |i - j|)
//
//   pass              x           a        y         b        u        order
//   output            phi(q)               phi(k)             v        forward
//   gradient of q     do / den    delta    v                  phi(k)   forward
//   gradient of v     phi(k)               phi(q)             do/den   backward
//   gradient of k     v                    do / den  delta    phi(q)   backward
//
// The last two share a state, R = sum_i q~_i^T g_i: the sweep of the gradient of v gives that of k along with
// it, its twin. Everything here is plain data, the same for every instruction set.

#include <cstdint>

#include "cosformer/bfloat16.h"

namespace cosformer::cpu {

/// The tokens of one sequence on one side, queries or keys, in the order in which a sweep takes them: its row
/// r is token origin + step * r.
struct Side {
  int64_t count = 0;
  int64_t origin = 0, step = 1;
  const int64_t* index = nullptr;  ///< where a token lies in memory; null: at its own number
  const float* cos = nullptr;      ///< of a token's angle; null without a horizon
  const float* sin = nullptr;

  int64_t token(int64_t row) const { return origin + step * row; }
  int64_t line(int64_t row) const { return index ? index[token(row)] : token(row); }
};

/// A matrix in the caller's memory for each of a group's heads.
template <class T>
struct Matrix {
  T* data = nullptr;
  int64_t line_stride = 0, head_stride = 0;  ///< elements

  T* line(int64_t head, int64_t line) const { return data + head * head_stride + line * line_stride; }
};

/// Rows of one head, in the order of a side.
template <class T>
class HeadRows {
 public:
  HeadRows(const Matrix<T>& matrix, const Side& side, int64_t head)
      : side_(side), start_(matrix.line(head, 0)), stride_(matrix.line_stride) {
    if (side.index) return;
    start_ += side.token(0) * stride_;
    stride_ *= side.step;
  }

  T* operator[](int64_t row) const { return start_ + (side_.index ? side_.line(row) : row) * stride_; }
  /// Where neighbouring rows are that far apart, elements; else 0.
  int64_t stride() const { return side_.index ? 0 : stride_; }

 private:
  const Side& side_;
  T* start_;  // of row 0; with an index, of line 0
  int64_t stride_;
};

/// A number a token, [head][token].
struct Terms {
  const float* data = nullptr;
  int64_t head_stride = 0;

  const float* head(int64_t head) const { return data ? data + head * head_stride : nullptr; }
};

/// A state [N][X][U] in the caller's memory, and the sum that goes with it: of y (weighted by b where there
/// is one), [N][X], or for the gradient of q of u, [N][U].
struct StateView {
  float* data = nullptr;
  int64_t n_stride = 0, x_stride = 0, u_stride = 0;
  float* sum = nullptr;
  int64_t sum_n_stride = 0;
};

/// Which sum a sweep keeps beside its state.
enum class Sum {
  none,
  y,    ///< sum_j wave_j y_j: denominators of the output
  b_y,  ///< sum_j wave_j b_j y_j: what delta adds to the gradient of k
  u,    ///< sum_j wave_j u_j: what delta adds to the gradient of q
};

/// One group of heads of one sequence; columns [u_begin, u_end) of the output. Either side may have several
/// heads (the queries' side), the other has one.
template <class T>
struct Sweep {
  Side x_side, y_side;
  int64_t x_heads = 1, y_heads = 1;
  int64_t X = 0;                   ///< contraction width
  int64_t U = 0;                   ///< width of u
  int64_t u_begin = 0, u_end = 0;  ///< u_begin a multiple of kColumnAlign
  int64_t N = 1;                   ///< states
  int64_t chunk = 16;      ///< rows of one head between two updates of the state, a multiple of kBlock
  bool quadratic = false;  ///< the chunk holds all rows: no state is read or written between chunks

  Matrix<const T> x, y, u;
  bool relu_x = false, relu_y = false, relu_u = false;
  Terms x_scale, u_scale;  ///< factors of rows; absent: 1
  Terms a, b;              ///< absent: 0
  Sum sum = Sum::none;

  /// w at distance [d], d from -(longest + 16) to longest + 16; null: 1.
  const float* weights = nullptr;
  /// exp(-decay d) at [d], d from 0 to chunk; null: 1. A state stands `lag` rows before the next row.
  const float* decay = nullptr;
  int64_t lag = 0;
  Terms x_fade;  ///< what is left of the state for a row of x, where it is not `decay` by chunk; absent: 1

  Matrix<T> out;
  Matrix<const T> gate;    ///< where gate_i <= 0, out_i becomes 0 (relu's derivative); null: none
  bool normalize = false;  ///< divide by max(sum_j, eps)
  float eps = 0;
  Matrix<float> denominator;  ///< with normalize: the sums before the clamp; null: not wanted

  /// The twin: out_k = sum_j (w_i . u_j + b_j) w_ij y_j, with rows w_i [U] on x's side; null: none. Needs all
  /// columns.
  Matrix<const T> w;
  Matrix<T> twin;
  Matrix<const T> twin_gate;
  bool twin_alone = false;  ///< out is not wanted, and neither x nor out is there

  /// Rows of out and twin are whole cache lines and go past the caches.
  bool streams = false;

  /// States before the first and after the last row; data null: empty, not wanted.
  StateView first, last;
};

/// Columns are split between tasks at multiples of this.
inline constexpr int64_t kColumnAlign = 32;
/// Rows that kernels take at once.
inline constexpr int64_t kBlock = 16;

/// One token of one group of heads: S [N][K][V] and z [N][K] are advanced, then read.
template <class T>
struct Step {
  int64_t K = 0, V = 0, N = 1, heads = 1;
  bool relu = true, normalize = true;
  float cos = 1, sin = 0, eps = 0, decay = 1;
  const T* query = nullptr;  ///< of head h at h * query_stride
  int64_t query_stride = 0;
  const T* key = nullptr;
  const T* value = nullptr;
  T* out = nullptr;
  int64_t out_stride = 0;
  float* denominator = nullptr;  ///< of head h at [h]; null: not wanted
  float* S = nullptr;
  float* z = nullptr;
};

/// scale_i = 1 / max(den_i, eps); delta_i = -scale_i (d_out_i . out_i), 0 where den_i < eps; of rows [first,
/// first + count) of all heads of a sequence.
template <class T>
struct RowTerms {
  Side side;
  int64_t first = 0, count = 0, heads = 0, V = 0;
  Matrix<const T> out, d_out;
  Matrix<const float> denominator;
  float eps = 0;
  float* scale = nullptr;  ///< [heads][head_stride]
  float* delta = nullptr;
  int64_t head_stride = 0;
};

/// Kernels of one instruction set. `scratch` holds scratch_floats(...) floats, aligned to 64 bytes, of any
/// content.
template <class T>
struct Kernels {
  /// Rows between two updates of the state where sweeps are causal: pairs inside a chunk cost too, so small
  /// ones are cheap in multiplications, large ones in traffic of the state.
  int64_t (*chunk)(int64_t K, int64_t V);
  /// Causal: row i of x sees rows 0 to i of y. With a chunk that holds all rows this is the quadratic form.
  /// The sweeps differ in pointers alone.
  void (*causal)(const Sweep<T>* sweeps, int64_t count, float* scratch);
  /// Rows [x_first, x_first + x_count) of x see every row of y, all pairs (quadratic form).
  void (*dense)(const Sweep<T>& sweep, int64_t x_first, int64_t x_count, float* scratch);
  /// states[i] = sum over rows [y_first, y_first + y_count) of y of sweep i; packed, packed_state_floats(...)
  /// floats. The sweeps differ in pointers alone, here and below.
  void (*accumulate)(const Sweep<T>* sweeps, int64_t count, int64_t y_first, int64_t y_count,
                     float* const* states, float* scratch);
  /// Rows [x_first, x_first + x_count) of x of sweep i read states[i].
  void (*read)(const Sweep<T>* sweeps, int64_t count, int64_t x_first, int64_t x_count,
               const float* const* states, float* scratch);
  /// Between the caller's state (first, last) and the packed one.
  void (*load_state)(const Sweep<T>& sweep, float* state);
  void (*store_state)(const Sweep<T>& sweep, const float* state);
  void (*step)(const Step<T>& step);
  void (*row_terms)(const RowTerms<T>& terms);
  int64_t (*scratch_floats)(const Sweep<T>& sweep, int64_t count);
  int64_t (*packed_state_floats)(const Sweep<T>& sweep);
};

}  // namespace cosformer::cpu
