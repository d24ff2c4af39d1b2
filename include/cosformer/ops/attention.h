#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "cosformer/error.h"

/// LibTorch operators for linear attention with cosine re-weighting. The same operators are
/// torch.ops.cosformer.* in Python once libcosformer_ops.so is loaded, with these arguments by name;
/// docs/math.md derives them.
///
///   w_ij = (phi(q_i) . phi(k_j)) cos(pi (i - j) / (2 M)) exp(-decay (i - j))
///   o_i  = sum_j w_ij v_j / max(sum_j w_ij, eps)                                    j <= i where causal
///
/// B batch, T length (Tq queries, Tk keys), H query heads, G key/value heads (query head h reads group
/// h / (H / G)), K key width, V value width, M horizon, N states (2 with a horizon: cosine, then sine; else
/// 1).
///
/// Queries, keys and values are float32, bfloat16, or float64, which runs the quadratic double reference;
/// output and gradients have their dtype. States S and z, positions apart, are float32 (float64 beside
/// float64), and so are all sums. Tensors may have any strides; only a last stride other than 1 costs a copy,
/// so [B, H, T, K] storage is read in place through transpose(1, 2). An output never shares memory with an
/// input.
///
/// `horizon` none switches re-weighting off. Positions count real tokens from 0 and must stay below the
/// horizon. Differentiable once, in every floating tensor but the decay. All throw c10::Error (in Python
/// ValueError, TypeError or RuntimeError), whose what_without_backtrace() is one line naming the argument,
/// what was expected and what was got; nothing has been written then. Under autocast on CPU with bfloat16,
/// queries, keys and values are cast to it and states stay as they are.
namespace cosformer::ops {

/// Arguments by name that most calls leave out; the others below have the same meaning.
struct AttentionOptions {
  /// bool [B, Tq] and [B, Tk], true = padding. Rows that are padding are never read and give output 0 and
  /// gradient 0; a position counts the tokens before it, so that left, right, hole or no padding give the
  /// same bits. Causal: equal ones.
  std::optional<at::Tensor> query_padding_mask = {}, key_padding_mask = {};
  /// float32 [G], each >= 0, causal only, without gradient; none: 0.
  std::optional<at::Tensor> decay = {};
  /// "relu", or "identity", where the caller gives non-negative features.
  std::string_view feature_map = "relu";
  /// False: the numerator alone.
  bool normalize = true;
  /// Lower bound of the denominator, > 0.
  double eps = 1e-6;
};

/// Attention over whole sequences.
/// @param query [B, Tq, H, K]
/// @param key   [B, Tk, G, K]; with causal Tk = Tq
/// @param value [B, Tk, G, V]
/// @return [B, Tq, H, V], contiguous
/// @throws c10::Error if a rank, size, dtype or device disagrees, a sequence has more tokens than the
/// horizon,
///         horizon < 1, eps is not finite and > 0, decay is negative or not causal, or causal masks differ
/// Work O(B T H N K V), forward and backward (float64: O(B T^2 H (K + V))).
COSFORMER_API at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                   std::optional<int64_t> horizon, bool causal = false,
                                   const AttentionOptions& options = {});

struct VarlenOptions {
  /// At least the longest sequence. Not needed on CPU, but must not be wrong.
  std::optional<int64_t> max_seqlen_q = {}, max_seqlen_k = {};
  std::optional<at::Tensor> decay = {};
  std::string_view feature_map = "relu";
  bool normalize = true;
  double eps = 1e-6;
};

/// Attention over sequences packed one after another, each with its own positions from 0. Gives the bits that
/// attention gives with padding.
/// @param query        [total_q, H, K]
/// @param key, value   [total_k, G, K], [total_k, G, V]
/// @param cu_seqlens_q int32 or int64 [n + 1], on query's device: sequence b is rows cu_seqlens[b] to
///                     cu_seqlens[b + 1] - 1, possibly none. From 0, not decreasing, to total_q
/// @param cu_seqlens_k the same for keys; causal: equal ones
/// @return [total_q, H, V], contiguous
/// @throws as attention, and for other cu_seqlens
COSFORMER_API at::Tensor attention_varlen(const at::Tensor& query, const at::Tensor& key,
                                          const at::Tensor& value, const at::Tensor& cu_seqlens_q,
                                          const at::Tensor& cu_seqlens_k, std::optional<int64_t> horizon,
                                          bool causal = false, const VarlenOptions& options = {});

struct StatefulOptions {
  std::optional<at::Tensor> padding_mask = {};  ///< bool [B, T], true = padding
  std::optional<at::Tensor> decay = {};
  std::string_view feature_map = "relu";
  bool normalize = true;
  double eps = 1e-6;
};

/// Causal attention over T tokens that continues from a state: any cut of a sequence into calls gives what
/// one call gives, gradients included.
/// @param query, key, value [B, T, H, K], [B, T, G, K], [B, T, G, V]
/// @param S        [B, G, N, K, V]: sum of k~ v^T over the tokens seen; zeros at a sequence's start
/// @param z        [B, G, N, K]: sum of k~
/// @param position [B] int64: tokens already seen; rows may differ
/// @return output [B, T, H, V]; S, z and position after the last token, new tensors. A row's position grows
/// by
///         its own tokens
/// @throws as attention, and if a position is negative or reaches the horizon
COSFORMER_API std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> attention_stateful(
    const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const at::Tensor& S,
    const at::Tensor& z, const at::Tensor& position, std::optional<int64_t> horizon,
    const StatefulOptions& options = {});

struct StepOptions {
  std::optional<at::Tensor> decay = {};
  std::string_view feature_map = "relu";
  bool normalize = true;
  double eps = 1e-6;
};

/// attention_stateful for one token, for inference: S, z and position (contiguous) advance in place.
/// @param query, key, value [B, 1, H, K], [B, 1, G, K], [B, 1, G, V]
/// @return output [B, 1, H, V]
/// @throws as attention_stateful, and if a tensor requires grad while grad mode is on
/// Work O(B H N K V), whatever the position.
COSFORMER_API at::Tensor attention_step_(const at::Tensor& query, const at::Tensor& key,
                                         const at::Tensor& value, const at::Tensor& S, const at::Tensor& z,
                                         const at::Tensor& position, std::optional<int64_t> horizon,
                                         const StepOptions& options = {});

struct StateOptions {
  std::optional<at::Tensor> padding_mask = {};
  std::optional<at::Tensor> decay = {};
  std::string_view feature_map = "relu";
};

/// The state of a stretch of tokens alone. States of consecutive stretches add up; with a decay the earlier
/// one fades first: exp(-decay n2) S1 + S2, where n2 counts the second stretch's tokens.
/// @param key, value [B, Tk, G, K], [B, Tk, G, V]
/// @param position   [B] int64: of the stretch's first token
/// @return S [B, G, N, K, V], z [B, G, N, K], decayed to the position after the last token
/// @throws as attention_stateful
COSFORMER_API std::tuple<at::Tensor, at::Tensor> attention_state(const at::Tensor& key,
                                                                 const at::Tensor& value,
                                                                 const at::Tensor& position,
                                                                 std::optional<int64_t> horizon,
                                                                 const StateOptions& options = {});

struct ReadOptions {
  std::string_view feature_map = "relu";
  bool normalize = true;
  double eps = 1e-6;
};

/// Queries that read a state and leave it as it is: cross attention to tokens that are kept as their state
/// alone.
/// @param query    [B, Tq, H, K]
/// @param S, z     [B, G, N, K, V], [B, G, N, K]; a decayed state is read as it stands
/// @param position [B] int64: row i stands at position + i, whatever the state has seen
/// @return [B, Tq, H, V]
/// @throws as attention_stateful
COSFORMER_API at::Tensor attention_read(const at::Tensor& query, const at::Tensor& S, const at::Tensor& z,
                                        const at::Tensor& position, std::optional<int64_t> horizon,
                                        const ReadOptions& options = {});

}  // namespace cosformer::ops
