#include <torch/library.h>

#include "ops/arguments.h"
#include "ops/cpu/run.h"

namespace cosformer::ops {
namespace {

constexpr const char* kName = "attention";

at::Tensor forward(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                   const Options& options, at::Tensor* denominator) {
  check_attention(kName, query, key, value, options);
  const auto q = unit_last_stride(query), k = unit_last_stride(key), v = unit_last_stride(value);
  const auto shape = shape_of(q, k, v);
  auto output = query.new_empty({shape.B, shape.Tq, shape.H, shape.V});
  if (denominator) *denominator = query.new_empty({shape.B, shape.Tq, shape.H});
  with_type(query.scalar_type(), [&]<class T>(T) {
    AttentionForward<T> args;
    args.shape = shape;
    args.options = kernel_options(kName, options);
    args.query = view<const T>(q);
    args.key = view<const T>(k);
    args.value = view<const T>(v);
    args.output = view<T>(output);
    if (denominator) args.denominator = pointer<T>(*denominator);
    run(args);
  });
  return output;
}

at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     std::optional<int64_t> horizon, bool causal,
                     const std::optional<at::Tensor>& query_padding_mask,
                     const std::optional<at::Tensor>& key_padding_mask,
                     const std::optional<at::Tensor>& decay, std::string_view feature_map, bool normalize,
                     double eps) {
  check_supported(kName, query_padding_mask, key_padding_mask, decay, normalize);
  return forward(query, key, value, {horizon, causal, feature_map, eps}, nullptr);
}

std::tuple<at::Tensor, at::Tensor> attention_forward(const at::Tensor& query, const at::Tensor& key,
                                                     const at::Tensor& value, std::optional<int64_t> horizon,
                                                     bool causal, std::string_view feature_map, double eps) {
  at::Tensor denominator;
  auto output = forward(query, key, value, {horizon, causal, feature_map, eps}, &denominator);
  return {output, denominator};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> attention_backward(
    const at::Tensor& d_output, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
    const at::Tensor& output, const at::Tensor& denominator, std::optional<int64_t> horizon, bool causal,
    std::string_view feature_map, double eps) {
  const Options options{horizon, causal, feature_map, eps};
  check_attention(kName, query, key, value, options);
  check_results(kName, query, value, output, denominator, d_output);
  const auto q = unit_last_stride(query), k = unit_last_stride(key), v = unit_last_stride(value);
  const auto o = unit_last_stride(output), d_o = unit_last_stride(d_output);
  const auto sums = denominator.contiguous();
  auto d_query = query.new_empty(query.sizes()), d_key = key.new_empty(key.sizes()),
       d_value = value.new_empty(value.sizes());
  with_type(query.scalar_type(), [&]<class T>(T) {
    AttentionBackward<T> args;
    args.shape = shape_of(q, k, v);
    args.options = kernel_options(kName, options);
    args.query = view<const T>(q);
    args.key = view<const T>(k);
    args.value = view<const T>(v);
    args.output = view<const T>(o);
    args.denominator = pointer<const T>(sums);
    args.d_output = view<const T>(d_o);
    args.d_query = view<T>(d_query);
    args.d_key = view<T>(d_key);
    args.d_value = view<T>(d_value);
    run(args);
  });
  return {d_query, d_key, d_value};
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention", attention);
  library.impl("_attention_forward", attention_forward);
  library.impl("_attention_backward", attention_backward);
}

}  // namespace cosformer::ops
