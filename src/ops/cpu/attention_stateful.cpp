#include <torch/library.h>

#include "ops/arguments.h"
#include "ops/cpu/run.h"

namespace cosformer::ops {
namespace {

constexpr const char* kName = "attention_stateful";

struct Results {
  at::Tensor output, denominator, S, z, position;
};

Results forward(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const at::Tensor& S,
                const at::Tensor& z, const at::Tensor& position, const Options& options) {
  check_attention(kName, query, key, value, options);
  check_state(kName, query, value, S, z, position, options);
  const auto q = unit_last_stride(query), k = unit_last_stride(key), v = unit_last_stride(value);
  const auto S_in = S.contiguous(), z_in = z.contiguous(), first = position.contiguous();
  const auto shape = shape_of(q, k, v);
  Results results;
  results.output = query.new_empty({shape.B, shape.Tq, shape.H, shape.V});
  results.denominator = query.new_empty({shape.B, shape.Tq, shape.H});
  results.S = S.new_empty(S.sizes());
  results.z = z.new_empty(z.sizes());
  with_type(query.scalar_type(), [&]<class T>(T) {
    AttentionForward<T> args;
    args.shape = shape;
    args.options = kernel_options(kName, options);
    args.query = view<const T>(q);
    args.key = view<const T>(k);
    args.value = view<const T>(v);
    args.output = view<T>(results.output);
    args.denominator = pointer<T>(results.denominator);
    args.position = pointer<const int64_t>(first);
    args.S = pointer<const T>(S_in);
    args.z = pointer<const T>(z_in);
    args.S_out = pointer<T>(results.S);
    args.z_out = pointer<T>(results.z);
    run(args);
  });
  results.position = first.add(shape.Tq);
  return results;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> attention_stateful(
    const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const at::Tensor& S,
    const at::Tensor& z, const at::Tensor& position, std::optional<int64_t> horizon,
    const std::optional<at::Tensor>& padding_mask, const std::optional<at::Tensor>& decay,
    std::string_view feature_map, bool normalize, double eps) {
  check_supported(kName, padding_mask, std::nullopt, decay, normalize);
  const auto results = forward(query, key, value, S, z, position, {horizon, true, feature_map, eps});
  return {results.output, results.S, results.z, results.position};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> attention_stateful_forward(
    const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const at::Tensor& S,
    const at::Tensor& z, const at::Tensor& position, std::optional<int64_t> horizon,
    std::string_view feature_map, double eps) {
  const auto results = forward(query, key, value, S, z, position, {horizon, true, feature_map, eps});
  return {results.output, results.denominator, results.S, results.z, results.position};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> attention_stateful_backward(
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
  const auto q = unit_last_stride(query), k = unit_last_stride(key), v = unit_last_stride(value);
  const auto o = unit_last_stride(output);
  const auto d_o = d_output ? unit_last_stride(*d_output) : output.new_zeros(output.sizes());
  const auto dS_end = dS_out ? dS_out->contiguous() : S.new_zeros(S.sizes());
  const auto dz_end = dz_out ? dz_out->contiguous() : z.new_zeros(z.sizes());
  const auto S_in = S.contiguous(), z_in = z.contiguous(), first = position.contiguous();
  const auto sums = denominator.contiguous();
  auto d_query = query.new_empty(query.sizes()), d_key = key.new_empty(key.sizes()),
       d_value = value.new_empty(value.sizes()), dS = S.new_empty(S.sizes()), dz = z.new_empty(z.sizes());
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
    args.position = pointer<const int64_t>(first);
    args.S = pointer<const T>(S_in);
    args.z = pointer<const T>(z_in);
    args.dS_out = pointer<const T>(dS_end);
    args.dz_out = pointer<const T>(dz_end);
    args.d_query = view<T>(d_query);
    args.d_key = view<T>(d_key);
    args.d_value = view<T>(d_value);
    args.dS = pointer<T>(dS);
    args.dz = pointer<T>(dz);
    run(args);
  });
  return {d_query, d_key, d_value, dS, dz};
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention_stateful", attention_stateful);
  library.impl("_attention_stateful_forward", attention_stateful_forward);
  library.impl("_attention_stateful_backward", attention_stateful_backward);
}

}  // namespace cosformer::ops
