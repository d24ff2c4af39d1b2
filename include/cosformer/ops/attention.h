#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "cosformer/error.h"

/// LibTorch operators for linear attention with cosine re-weighting. The same operators are
/// torch.ops.cosformer.* in Python once libcosformer_ops.so is loaded; docs/math.md derives them.
///
///   w_ij = (phi(q_i) . phi(k_j)) cos(pi (i - j) / (2 M))     o_i = sum_j w_ij v_j / max(sum_j w_ij, eps)
///
/// B batch, T length (Tq queries, Tk keys), H heads, K key width, V value width, M horizon, N states (2 with
/// a horizon: cosine, then sine; else 1). float32, or float64, which runs the quadratic double reference.
/// Tensors may have any strides; only a last stride other than 1 costs a copy. An output never shares memory
/// with an input.
///
/// `horizon` none switches re-weighting off. `feature_map` is "relu", or "identity", where the caller gives
/// non-negative features. All throw c10::Error, whose what_without_backtrace() is one line naming the
/// argument, what was expected and what was got; nothing has been written then.
namespace cosformer::ops {

/// Attention over whole sequences whose first token stands at position 0. Differentiable once.
/// @param query [B, Tq, H, K]
/// @param key   [B, Tk, H, K]; with causal Tk = Tq
/// @param value [B, Tk, H, V]
/// @return [B, Tq, H, V], contiguous
/// @throws c10::Error if a rank, size, dtype or device disagrees, a length exceeds the horizon, horizon < 1,
/// or eps is
///         not finite and > 0
/// Work O(B T H N K V), forward and backward, in float32.
COSFORMER_API at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                   std::optional<int64_t> horizon, bool causal = false,
                                   std::string_view feature_map = "relu", double eps = 1e-6);

/// Causal attention over T tokens that continues from a state: any cut of a sequence into calls gives what
/// one call gives. Differentiable once in query, key, value, S and z.
/// @param query, key, value [B, T, H, K], [B, T, H, K], [B, T, H, V]
/// @param S        [B, H, N, K, V], dtype of query: sum of k~ v^T over the tokens seen; zeros at a sequence's
/// start
/// @param z        [B, H, N, K], dtype of query: sum of k~
/// @param position [B] int64: tokens already seen
/// @return output [B, T, H, V]; S, z and position after the last token, new tensors
/// @throws as attention, and if a row's position reaches the horizon
COSFORMER_API std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> attention_stateful(
    const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const at::Tensor& S,
    const at::Tensor& z, const at::Tensor& position, std::optional<int64_t> horizon,
    std::string_view feature_map = "relu", double eps = 1e-6);

/// attention_stateful for one token, for inference: S, z and position (contiguous) advance in place.
/// @param query, key, value [B, 1, H, K], [B, 1, H, K], [B, 1, H, V]
/// @return output [B, 1, H, V]
/// @throws as attention_stateful, and if a tensor requires grad while grad mode is on
/// Work O(B H N K V), whatever the position.
COSFORMER_API at::Tensor attention_step_(const at::Tensor& query, const at::Tensor& key,
                                         const at::Tensor& value, const at::Tensor& S, const at::Tensor& z,
                                         const at::Tensor& position, std::optional<int64_t> horizon,
                                         std::string_view feature_map = "relu", double eps = 1e-6);

}  // namespace cosformer::ops
