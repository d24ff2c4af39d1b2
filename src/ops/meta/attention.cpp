#include <torch/library.h>

#include "ops/arguments.h"

namespace cosformer::ops {
namespace {

constexpr const char* kName = "attention";

std::tuple<at::Tensor, at::Tensor> forward(const at::Tensor& query, const at::Tensor& key,
                                           const at::Tensor& value, std::optional<int64_t> horizon,
                                           bool causal, std::string_view feature_map, double eps) {
  check_attention(kName, query, key, value, {horizon, causal, feature_map, eps});
  const auto B = query.sym_size(0), Tq = query.sym_size(1), H = query.sym_size(2);
  return {query.new_empty_symint({B, Tq, H, value.sym_size(3)}), query.new_empty_symint({B, Tq, H})};
}

at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     std::optional<int64_t> horizon, bool causal,
                     const std::optional<at::Tensor>& query_padding_mask,
                     const std::optional<at::Tensor>& key_padding_mask,
                     const std::optional<at::Tensor>& decay, std::string_view feature_map, bool normalize,
                     double eps) {
  check_supported(kName, query_padding_mask, key_padding_mask, decay, normalize);
  return std::get<0>(forward(query, key, value, horizon, causal, feature_map, eps));
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> backward(const at::Tensor& d_output, const at::Tensor& query,
                                                        const at::Tensor& key, const at::Tensor& value,
                                                        const at::Tensor& output,
                                                        const at::Tensor& denominator,
                                                        std::optional<int64_t> horizon, bool causal,
                                                        std::string_view feature_map, double eps) {
  check_attention(kName, query, key, value, {horizon, causal, feature_map, eps});
  check_results(kName, query, value, output, denominator, d_output);
  return {query.new_empty_symint(query.sym_sizes()), key.new_empty_symint(key.sym_sizes()),
          value.new_empty_symint(value.sym_sizes())};
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, Meta, library) {
  library.impl("attention", attention);
  library.impl("_attention_forward", forward);
  library.impl("_attention_backward", backward);
}

}  // namespace cosformer::ops
