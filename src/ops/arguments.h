#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string_view>

#include "cosformer/attention.h"

/// What every operator checks of its arguments before it computes. Sizes are compared as SymInt, so that the
/// same checks serve real tensors, Meta tensors and traces with symbolic sizes; no value of a tensor is read.
namespace cosformer::ops {

/// Scalar arguments, named as in the schemas.
struct Options {
  std::optional<int64_t> horizon;
  bool causal = false;
  std::string_view feature_map;
  double eps = 0;
};

/// Refuses arguments that the schemas name and no kernel computes yet.
void check_supported(const char* op, const std::optional<at::Tensor>& query_padding_mask,
                     const std::optional<at::Tensor>& key_padding_mask,
                     const std::optional<at::Tensor>& decay, bool normalize);

/// query [B, Tq, H, K], key [B, Tk, H, K], value [B, Tk, H, V] of one dtype, on one device, within the
/// horizon.
void check_attention(const char* op, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     const Options& options);

/// What attention_stateful needs beyond check_attention: S [B, H, N, K, V] and z [B, H, N, K] of query's
/// dtype, position [B] int64, all on query's device.
void check_state(const char* op, const at::Tensor& query, const at::Tensor& value, const at::Tensor& S,
                 const at::Tensor& z, const at::Tensor& position, const Options& options);

/// What attention_step_ needs beyond: Tq = 1.
void check_one_token(const char* op, const at::Tensor& query);

/// What a backward operator needs beyond the checks of its forward pass: its results and the gradient of its
/// output.
void check_results(const char* op, const at::Tensor& query, const at::Tensor& value, const at::Tensor& output,
                   const at::Tensor& denominator, const std::optional<at::Tensor>& d_output);

/// The kernel library's form of checked options.
AttentionOptions kernel_options(const char* op, const Options& options);

}  // namespace cosformer::ops
