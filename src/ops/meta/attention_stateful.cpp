#include <torch/library.h>

#include "ops/arguments.h"

namespace cosformer::ops {
namespace {

constexpr const char* kName = "attention_stateful";

at::Tensor like(const at::Tensor& tensor) {
  return tensor.new_empty_symint(tensor.sym_sizes());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> forward(
    const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const at::Tensor& S,
    const at::Tensor& z, const at::Tensor& position, std::optional<int64_t> horizon,
    std::string_view feature_map, double eps) {
  const Options options{horizon, true, feature_map, eps};
  check_attention(kName, query, key, value, options);
  check_state(kName, query, value, S, z, position, options);
  const auto B = query.sym_size(0), T = query.sym_size(1), H = query.sym_size(2);
  return {query.new_empty_symint({B, T, H, value.sym_size(3)}), query.new_empty_symint({B, T, H}), like(S),
          like(z), like(position)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> attention_stateful(
    const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const at::Tensor& S,
    const at::Tensor& z, const at::Tensor& position, std::optional<int64_t> horizon,
    const std::optional<at::Tensor>& padding_mask, const std::optional<at::Tensor>& decay,
    std::string_view feature_map, bool normalize, double eps) {
  check_supported(kName, padding_mask, std::nullopt, decay, normalize);
  auto [output, denominator, S_out, z_out, position_out] =
      forward(query, key, value, S, z, position, horizon, feature_map, eps);
  return {output, S_out, z_out, position_out};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> backward(
    const std::optional<at::Tensor>& d_output, const std::optional<at::Tensor>& dS_out,
    const std::optional<at::Tensor>& dz_out, const at::Tensor& query, const at::Tensor& key,
    const at::Tensor& value, const at::Tensor& S, const at::Tensor& z, const at::Tensor& position,
    const at::Tensor& output, const at::Tensor& denominator, std::optional<int64_t> horizon,
    std::string_view feature_map, double eps) {
  const Options options{horizon, true, feature_map, eps};
  check_attention(kName, query, key, value, options);
  check_state(kName, query, value, S, z, position, options);
  check_state(kName, query, value, dS_out.value_or(S), dz_out.value_or(z), position, options);
  check_results(kName, query, value, output, denominator, d_output);
  return {like(query), like(key), like(value), like(S), like(z)};
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, Meta, library) {
  library.impl("attention_stateful", attention_stateful);
  library.impl("_attention_stateful_forward", forward);
  library.impl("_attention_stateful_backward", backward);
}

}  // namespace cosformer::ops
