#pragma once

#include <type_traits>

#include "kernels/cuda/operand.h"

// One sweep over a sequence, of which every pass of causal attention is a case:
//
//   out_i = scale_i ( sum_j f_ij (a_i . b_j + e_i + e_j) g_j c_j )        f_ij = cos(theta_i - theta_j) decay
//
// over the tokens j <= i, or j >= i in reverse. Readers are the tokens i, with rows a [X]; sources the tokens
// j, with rows b [X] and c [Y].
//
//   | pass        | a    | b    | c         | direction | e                   | g, scale | | output      | q
//   | k    | v         | forward   |                     | scale: 1 / max(den, eps)     | | d_query     | do
//   | v    | k         | forward   | e_i: of den         | scale: 1 / max(den, eps)     | | d_key       | v
//   | do   | q         | reverse   | e_j: of den         | g: 1 / max(den, eps)         | | d_value     | k
//   | q    | do        | reverse   |                     | g: 1 / max(den, eps)         |
//
// q and k through phi. A block of threads has one reader head and a slice of Y columns, and goes through
// chunks of C tokens. What lies before the chunk comes through the state S = sum g_j cos|sin(theta_j) b_j^T
// c_j [N, X, Y]; what lies inside through C x C weights. S is kept as a sum over whole segments of tokens,
// `before`, and one over the chunks of this segment, `local`, both float in registers, so that a sequence can
// be cut at segments and swept by many blocks to the same bits. As a factor their sum is rounded to T once a
// chunk. Column sums of weights go along as a vector z [N, X or Y].
//
// Operations a token and head: 4 N X Y + 2 C (X Y / slice + Y). docs/cuda.md has the picture.

namespace cosformer::cuda {

/// What a launch does: `sweep` all of the above, `sum` a segment's local state alone, `read` a state that
/// stays.
enum class Part { sweep, sum, read };

/// What goes along with the state: sums of b_j for denominators, or of c_j for the terms e.
enum class Along { nothing, b, c };

/// States [..][N][X][Y] and vectors [..][N][X or Y] in memory, float; X and Y by strides, since d_query and
/// d_key read those of the other passes transposed.
struct States {
  float* S = nullptr;
  float* z = nullptr;
  int64_t S_size = 0, z_size = 0;  ///< elements from one (sequence, head, segment) to the next
  int64_t S_wave = 0, z_wave = 0;  ///< from cosine to sine
  int64_t x_stride = 0, y_stride = 0;
};

template <class T>
struct ScanArgs {
  Operand<const T> a, b, c, gate;  ///< gate: rows [Y] of readers; out is 0 where they are not above 0
  Operand<T> out;
  Tokens tokens;
  int64_t B = 0, segments = 0, segment = 0;  ///< segments of the longest sequence, tokens of one
  int64_t segments_a_block = 0;
  int x_width = 0, y_width = 0;  ///< of the state, unpadded
  int slices = 0, reader_heads = 0, readers_a_source = 1, sources_a_reader = 1;
  int source_heads = 0;  ///< of b and c
  bool reverse = false;

  int N = 1;
  int64_t horizon = 0;  ///< 0: none
  const int64_t* position = nullptr;
  const float* decay = nullptr;
  float floor_a = 0, floor_b = 0, floor_c = 0;

  Along along = Along::nothing;
  bool along_grows = true;                                     ///< false: it is carried along, as it began
  const float *reader_scale = nullptr, *reader_add = nullptr;  ///< [B, T, reader heads]
  const float *source_scale = nullptr, *source_add = nullptr;  ///< [B, T, source heads]
  float* denominator = nullptr;                                ///< [B, T, reader heads], where wanted
  bool divide = false;                                         ///< by the denominator
  float eps = 0;

  States initial, last;  ///< of (sequence, state head)
  /// Of (sequence, state head, slot). Of a sweep that is cut, or goes on in turn, a slot an end of a block's
  /// segments where another block follows, with the state there. Where it is cut that was first the sum of
  /// the segment (in reverse: of the one that follows). Of a sum of all, a slot a segment, with its sum.
  States parts;
  int64_t slots = 0;
  bool cut = false;      ///< all blocks at once, from states that other passes have put in parts
  bool in_turn = false;  ///< each block leaves its last state in parts for a block of a later launch
};

/// What a launch goes through: walks with as many blocks each, which take turns, so that the blocks of one
/// head run at the same time and rows that they share come from memory once.
template <class Args>
struct Together {
  static constexpr int kMost = 3;
  Args walks[kMost];
  int count = 0;
  int64_t first_block = 0;  ///< of this launch

  Together() = default;
  explicit Together(const Args& one) : walks{one}, count(1) {}
  template <class Other>
  explicit Together(const Together<Other>& other) : count(other.count), first_block(other.first_block) {
    for (int i = 0; i < count; ++i) walks[i] = Args(other.walks[i]);
  }
  Args* begin() { return walks; }
  Args* end() { return walks + count; }
};

}  // namespace cosformer::cuda
