#pragma once

#include <cstdint>
#include <optional>

#include "cosformer/bfloat16.h"
#include "cosformer/error.h"
#include "cosformer/isa.h"
#include "cosformer/parallel.h"

/// Linear attention with cosine re-weighting (Qin et al., "cosFormer: Rethinking Softmax in Attention", ICLR
/// 2022, equations 9 to 12), without LibTorch. docs/math.md derives what stands here.
///
///   phi(x) = relu(x)     theta_t = pi t / (2 M)  [radians]
///   w_ij   = (phi(q_i) . phi(k_j)) cos(theta_i - theta_j) exp(-decay (i - j))
///   o_i    = sum_j w_ij v_j / max(sum_j w_ij, eps)               j <= i where causal
///
/// B batch, T length (Tq queries, Tk keys), H query heads, G key/value heads, K key width, V value width, M
/// horizon, N states (2 with a horizon: cosine, then sine; else 1). Query head h reads group h / (H / G).
///
/// T is float or bfloat16 through the kernels, double through the reference. Sums, states and denominators
/// are float, for double double (State<T>).
namespace cosformer {

template <class T>
struct StateOf {
  using type = float;
};
template <>
struct StateOf<double> {
  using type = double;
};
template <class T>
using State = typename StateOf<T>::type;

enum class FeatureMap {
  relu,
  identity,  ///< the caller gives non-negative features
};

/// How a result is computed. All forms agree to rounding; `automatic` takes the cheapest for the sizes.
enum class Form {
  automatic,
  quadratic,  ///< every pair of positions; work O(T^2 (K + V))
  chunked,    ///< pairs inside a chunk, a state between chunks; work O(T N K V)
  recurrent,  ///< one token at a time; work O(T N K V), forward only
};

struct AttentionShape {
  int64_t B = 0, Tq = 0, Tk = 0, H = 0, G = 0, K = 0, V = 0;
};

struct AttentionOptions {
  std::optional<int64_t> horizon = {};  ///< M >= 1, or none: no re-weighting
  bool causal = false;
  FeatureMap feature_map = FeatureMap::relu;
  bool normalize = true;  ///< false: the numerator alone; eps is then unused
  float eps = 1e-6F;      ///< lower bound of the denominator, > 0

  int64_t states() const { return horizon ? 2 : 1; }
};

/// How to run: instruction set (none: selected_isa()), form and threads.
struct Execution {
  std::optional<Isa> isa = {};
  Form form = Form::automatic;
  ParallelFor parallel = parallel_for;
  int width =
      parallel_width();  ///< how many tasks `parallel` runs at once; decides how finely work is split only
  /// Results go past the caches, where their rows are whole cache lines. Absent: where they are 2 MiB for
  /// each of `width` tasks or more, which caches would not keep.
  std::optional<bool> streams = {};
};

/// A tensor [B, T, heads, width] whose last stride is 1; other strides in elements, any value for inputs.
/// Packed sequences are [total, heads, width]: their batch stride is not read.
template <class T>
struct View {
  T* data = nullptr;
  int64_t batch_stride = 0, time_stride = 0, head_stride = 0;
};

/// Which rows are tokens. A token's position counts the tokens before it in its sequence, so left, right or
/// no padding, holes and packing give the same bits. Rows that are padding are never read; their results are
/// 0.
struct Rows {
  /// [B, T], true = padding; null: every row is a token.
  const bool* padding = nullptr;
  int64_t padding_batch_stride = 0, padding_time_stride = 1;
  /// [B + 1], packed: sequence b is rows cu_seqlens[b] to cu_seqlens[b + 1] - 1, and Tq or Tk of the shape is
  /// the total; null: not packed. Not together with padding.
  const int64_t* cu_seqlens = nullptr;
};

/// Arguments of a forward pass. Inputs may alias each other, outputs may alias nothing.
template <class T>
struct AttentionForward {
  AttentionShape shape = {};
  AttentionOptions options = {};
  Rows query_rows = {}, key_rows = {};  ///< causal: equal ones
  const float* decay = nullptr;         ///< [G], each >= 0, causal only; null: 0
  View<const T> query = {};             ///< [B, Tq, H, K]
  View<const T> key = {};               ///< [B, Tk, G, K]
  View<const T> value = {};             ///< [B, Tk, G, V]
  View<T> output = {};                  ///< [B, Tq, H, V]
  /// [B, Tq, H] contiguous: sum_j w_ij before the clamp, unspecified in padded rows and without normalize;
  /// null where not wanted.
  State<T>* denominator = nullptr;

  /// Position of each sequence's first token, [B]; null: 0. The state below stands before that position.
  const int64_t* position = nullptr;
  /// State to continue from (causal only): S [B, G, N, K, V], z [B, G, N, K] contiguous; null: empty.
  const State<T>* S = nullptr;
  const State<T>* z = nullptr;
  /// State after the last token (causal only), same layouts; null where not wanted. May not alias S, z.
  State<T>* S_out = nullptr;
  State<T>* z_out = nullptr;
};

/// Arguments of a backward pass: inputs and results of the forward pass, the incoming gradients, and the
/// gradients.
template <class T>
struct AttentionBackward {
  AttentionShape shape = {};
  AttentionOptions options = {};
  Rows query_rows = {}, key_rows = {};
  const float* decay = nullptr;
  View<const T> query = {}, key = {}, value = {};  ///< as in the forward pass
  View<const T> output = {};              ///< [B, Tq, H, V], the forward pass's result; with normalize
  const State<T>* denominator = nullptr;  ///< [B, Tq, H], the forward pass's result; with normalize
  View<const T> d_output = {};            ///< [B, Tq, H, V]
  const int64_t* position = nullptr;
  const State<T>* S = nullptr;  ///< as in the forward pass
  const State<T>* z = nullptr;
  const State<T>* dS_out = nullptr;  ///< gradient of S_out [B, G, N, K, V]; null: zero
  const State<T>* dz_out = nullptr;  ///< gradient of z_out [B, G, N, K]; null: zero

  View<T> d_query = {}, d_key = {}, d_value = {};  ///< shapes of query, key, value
  State<T>* dS = nullptr;                          ///< gradient of S; null where not wanted
  State<T>* dz = nullptr;                          ///< gradient of z; null where not wanted
};

/// One token for each sequence, its state advanced in place (inference): S += k~ v^T, z += k~, position += 1.
template <class T>
struct AttentionStep {
  AttentionShape shape = {};  ///< Tq = Tk = 1
  AttentionOptions options = {};
  const float* decay = nullptr;  ///< [G]
  View<const T> query = {}, key = {}, value = {};
  View<T> output = {};
  State<T>* S = nullptr;        ///< [B, G, N, K, V]
  State<T>* z = nullptr;        ///< [B, G, N, K]
  int64_t* position = nullptr;  ///< [B]
};

/// The state of a stretch of tokens alone: S = sum k~ v^T, z = sum k~, decayed to the position after the
/// last. Tq, H and query are not used. With gradients: see attention_state_backward.
template <class T>
struct AttentionState {
  AttentionShape shape = {};
  AttentionOptions options = {};
  Rows key_rows = {};
  const float* decay = nullptr;        ///< [G]
  View<const T> key = {}, value = {};  ///< [B, Tk, G, K], [B, Tk, G, V]
  const int64_t* position = nullptr;   ///< [B], of the first token; null: 0
  State<T>* S = nullptr;               ///< [B, G, N, K, V]
  State<T>* z = nullptr;               ///< [B, G, N, K]
};

template <class T>
struct AttentionStateBackward {
  AttentionShape shape = {};
  AttentionOptions options = {};
  Rows key_rows = {};
  const float* decay = nullptr;
  View<const T> key = {}, value = {};
  const int64_t* position = nullptr;
  const State<T>* dS = nullptr;  ///< gradient of S; null: zero
  const State<T>* dz = nullptr;  ///< gradient of z; null: zero
  View<T> d_key = {}, d_value = {};
};

/// Queries that read a state and leave it as it is; row i stands at position + i. Tk, key and value are not
/// used.
template <class T>
struct AttentionRead {
  AttentionShape shape = {};
  AttentionOptions options = {};
  View<const T> query = {};           ///< [B, Tq, H, K]
  const State<T>* S = nullptr;        ///< [B, G, N, K, V]
  const State<T>* z = nullptr;        ///< [B, G, N, K]
  const int64_t* position = nullptr;  ///< [B]; null: 0
  View<T> output = {};                ///< [B, Tq, H, V]
  State<T>* denominator = nullptr;    ///< [B, Tq, H]; null where not wanted
};

template <class T>
struct AttentionReadBackward {
  AttentionShape shape = {};
  AttentionOptions options = {};
  View<const T> query = {};
  const State<T>* S = nullptr;
  const State<T>* z = nullptr;
  const int64_t* position = nullptr;
  View<const T> output = {};              ///< the forward pass's result; with normalize
  const State<T>* denominator = nullptr;  ///< the forward pass's result; with normalize
  View<const T> d_output = {};
  View<T> d_query = {};
  State<T>* dS = nullptr;
  State<T>* dz = nullptr;
};

// Each function below first checks sizes, options, rows, positions and decay, and has written nothing when it
// throws.
//
// Work O(T N K V) a head in the chunked form; memory beyond the outputs O(threads * C * (K + V) + threads * N
// K V), where C is the chunk. A row's results depend on its own sequence's tokens, K, V, dtype and
// instruction set alone, and are the same bits for any number of threads, batch, padding and strides.
// @throws ShapeError for negative sizes, H not a multiple of G, causal with queries unlike keys, horizon < 1,
// eps not finite or <= 0, a token's position that is negative or reaches the horizon, cu_seqlens that do not
// rise from 0 to the total, a decay that is negative, not finite or not causal, a tensor that is null, that
// no int64_t counts, or, of a result, whose elements share a place; DeviceError if execution.isa is not
// available; std::bad_alloc where the calling thread gets no memory

COSFORMER_API void attention_forward(const AttentionForward<float>& args, const Execution& execution = {});
COSFORMER_API void attention_forward(const AttentionForward<bfloat16>& args, const Execution& execution = {});

/// Gradients of query, key, value and of the state. A clamped denominator has gradient 0, relu has gradient 0
/// at 0. Work about 2.5 times the forward pass.
COSFORMER_API void attention_backward(const AttentionBackward<float>& args, const Execution& execution = {});
COSFORMER_API void attention_backward(const AttentionBackward<bfloat16>& args,
                                      const Execution& execution = {});

/// Work O(N K V) a head: reads and writes the state once. States and positions are unchanged when it throws.
COSFORMER_API void attention_step(const AttentionStep<float>& args, const Execution& execution = {});
COSFORMER_API void attention_step(const AttentionStep<bfloat16>& args, const Execution& execution = {});

COSFORMER_API void attention_state(const AttentionState<float>& args, const Execution& execution = {});
COSFORMER_API void attention_state(const AttentionState<bfloat16>& args, const Execution& execution = {});
COSFORMER_API void attention_state_backward(const AttentionStateBackward<float>& args,
                                            const Execution& execution = {});
COSFORMER_API void attention_state_backward(const AttentionStateBackward<bfloat16>& args,
                                            const Execution& execution = {});
COSFORMER_API void attention_read(const AttentionRead<float>& args, const Execution& execution = {});
COSFORMER_API void attention_read(const AttentionRead<bfloat16>& args, const Execution& execution = {});
COSFORMER_API void attention_read_backward(const AttentionReadBackward<float>& args,
                                           const Execution& execution = {});
COSFORMER_API void attention_read_backward(const AttentionReadBackward<bfloat16>& args,
                                           const Execution& execution = {});

/// The definition, in double, quadratic in T: what "correct" means. Same arguments.
namespace reference {
COSFORMER_API void attention_forward(const AttentionForward<double>& args);
COSFORMER_API void attention_backward(const AttentionBackward<double>& args);
COSFORMER_API void attention_step(const AttentionStep<double>& args);
COSFORMER_API void attention_state(const AttentionState<double>& args);
COSFORMER_API void attention_state_backward(const AttentionStateBackward<double>& args);
COSFORMER_API void attention_read(const AttentionRead<double>& args);
COSFORMER_API void attention_read_backward(const AttentionReadBackward<double>& args);
}  // namespace reference

}  // namespace cosformer
