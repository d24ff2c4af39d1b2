#pragma once

#include <cstdint>
#include <optional>

#include "cosformer/error.h"
#include "cosformer/isa.h"
#include "cosformer/parallel.h"

/// Linear attention with cosine re-weighting (Qin et al., "cosFormer: Rethinking Softmax in Attention", ICLR
/// 2022, equations 9 to 12), without LibTorch.
///
///   phi(x) = relu(x)     theta_t = pi t / (2 M)  [radians]
///   w_ij   = (phi(q_i) . phi(k_j)) cos(theta_i - theta_j)
///   o_i    = sum_j w_ij v_j / max(sum_j w_ij, eps)               j <= i where causal
///
/// B batch, T length (Tq queries, Tk keys), H query heads, G key/value heads, K key width, V value width, M
/// horizon, N states (2 with a horizon: cosine, then sine; else 1).
namespace cosformer {

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
  float eps = 1e-6F;  ///< lower bound of the denominator, > 0

  int64_t states() const { return horizon ? 2 : 1; }
};

/// How to run: instruction set (none: selected_isa()), form and threads.
struct Execution {
  std::optional<Isa> isa = {};
  Form form = Form::automatic;
  ParallelFor parallel = parallel_for;
  int width =
      parallel_width();  ///< how many tasks `parallel` runs at once; decides how finely work is split only
};

/// A tensor [B, T, heads, width] whose last stride is 1; other strides in elements, any value for inputs.
template <class T>
struct View {
  T* data = nullptr;
  int64_t batch_stride = 0, time_stride = 0, head_stride = 0;
};

/// Arguments of a forward pass. Inputs may alias each other, outputs may alias nothing.
/// T is float, or double for the reference.
template <class T>
struct AttentionForward {
  AttentionShape shape = {};
  AttentionOptions options = {};
  View<const T> query = {};  ///< [B, Tq, H, K]
  View<const T> key = {};    ///< [B, Tk, G, K]
  View<const T> value = {};  ///< [B, Tk, G, V]
  View<T> output = {};       ///< [B, Tq, H, V]
  T* denominator = nullptr;  ///< [B, Tq, H] contiguous: sum_j w_ij before the clamp; null where not wanted

  /// Position of row 0 of each sequence, [B]; null: 0. The state below stands before that position.
  const int64_t* position = nullptr;
  /// State to continue from (causal only): S [B, G, N, K, V], z [B, G, N, K] contiguous; null: empty.
  const T* S = nullptr;
  const T* z = nullptr;
  /// State after the last row (causal only), same layouts; null where not wanted. May not alias S, z.
  T* S_out = nullptr;
  T* z_out = nullptr;
};

/// Arguments of a backward pass: inputs and results of the forward pass, the incoming gradients, and the
/// gradients.
template <class T>
struct AttentionBackward {
  AttentionShape shape = {};
  AttentionOptions options = {};
  View<const T> query = {}, key = {}, value = {};  ///< as in the forward pass
  View<const T> output = {};                       ///< [B, Tq, H, V], the forward pass's result
  const T* denominator = nullptr;                  ///< [B, Tq, H], the forward pass's result
  View<const T> d_output = {};                     ///< [B, Tq, H, V]
  const int64_t* position = nullptr;
  const T* S = nullptr;  ///< as in the forward pass
  const T* z = nullptr;
  const T* dS_out = nullptr;  ///< gradient of S_out [B, G, N, K, V]; null: zero
  const T* dz_out = nullptr;  ///< gradient of z_out [B, G, N, K]; null: zero

  View<T> d_query = {}, d_key = {}, d_value = {};  ///< shapes of query, key, value
  T* dS = nullptr;                                 ///< gradient of S; null where not wanted
  T* dz = nullptr;                                 ///< gradient of z; null where not wanted
};

/// One token for each sequence, its state advanced in place (inference): S += k~ v^T, z += k~, position += 1.
template <class T>
struct AttentionStep {
  AttentionShape shape = {};  ///< Tq = Tk = 1
  AttentionOptions options = {};
  View<const T> query = {}, key = {}, value = {};
  View<T> output = {};
  T* S = nullptr;               ///< [B, G, N, K, V]
  T* z = nullptr;               ///< [B, G, N, K]
  int64_t* position = nullptr;  ///< [B]
};

/// Checks sizes and options. Every function below calls it first and changes nothing when it throws.
/// @throws ShapeError for negative sizes, H not a multiple of G, causal with Tq unlike Tk, horizon < 1, eps
/// not finite
///         or <= 0, or a row whose position (position + row) is negative or reaches the horizon.
COSFORMER_API void check(const AttentionShape& shape, const AttentionOptions& options,
                         const int64_t* position);

/// Work O(T N K V) a head in the chunked form; memory beyond the outputs O(threads * C * (K + V) + threads *
/// N K V), where C is the chunk. Results are the same bits for any number of threads, batch and strides.
/// @throws ShapeError (see check), DeviceError if execution.isa is not available.
COSFORMER_API void attention_forward(const AttentionForward<float>& args, const Execution& execution = {});

/// Gradients of query, key, value and of the state. A clamped denominator has gradient 0, relu has gradient 0
/// at 0. Work about 2.5 times the forward pass; memory as there.
/// @throws as attention_forward
COSFORMER_API void attention_backward(const AttentionBackward<float>& args, const Execution& execution = {});

/// Work O(N K V) a head: reads and writes the state once.
/// @throws as attention_forward; states and positions are then unchanged
COSFORMER_API void attention_step(const AttentionStep<float>& args, const Execution& execution = {});

/// The definition, in double, quadratic in T: what "correct" means. Same arguments.
namespace reference {
COSFORMER_API void attention_forward(const AttentionForward<double>& args);
COSFORMER_API void attention_backward(const AttentionBackward<double>& args);
COSFORMER_API void attention_step(const AttentionStep<double>& args);
}  // namespace reference

}  // namespace cosformer
