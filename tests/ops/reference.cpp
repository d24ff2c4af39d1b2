#include "ops/reference.h"

#include <ATen/ops/empty.h>

namespace cosformer::ops::testing {
namespace {

at::Tensor as(at::ScalarType dtype, const at::Tensor& tensor) {
  return tensor.defined() ? tensor.detach().to(dtype).contiguous() : tensor;
}

/// As the reference takes them, alive as long as its arguments.
struct Exact : Arguments {
  AttentionShape shape;
  explicit Exact(const Arguments& a) {
    for (const auto member : {&Arguments::query, &Arguments::key, &Arguments::value, &Arguments::S,
                              &Arguments::z, &Arguments::d_output, &Arguments::dS_out, &Arguments::dz_out}) {
      this->*member = as(at::kDouble, a.*member);
    }
    position = as(at::kLong, a.position);
    query_mask = as(at::kBool, a.query_mask), key_mask = as(at::kBool, a.key_mask);
    cu_seqlens_q = as(at::kLong, a.cu_seqlens_q), cu_seqlens_k = as(at::kLong, a.cu_seqlens_k);
    decay = as(at::kFloat, a.decay);
    const auto& leading = query.defined() ? query : key;
    shape.B = cu_seqlens_q.defined() ? cu_seqlens_q.size(0) - 1 : leading.size(0);
    shape.Tq = query.defined() ? query.size(-3) : 0;
    shape.Tk = key.defined() ? key.size(-3) : 0;
    shape.H = query.defined() ? query.size(-2) : 0;
    shape.G = key.defined() ? key.size(-2) : S.size(1);
    shape.K = leading.size(-1);
    shape.V = value.defined() ? value.size(-1) : S.size(-1);
  }
};

template <class T>
T* data(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

template <class T>
View<T> view(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  return {data<T>(tensor), tensor.dim() == 4 ? tensor.stride(0) : 0, tensor.stride(-3), tensor.stride(-2)};
}

Rows rows(const at::Tensor& mask, const at::Tensor& cu_seqlens) {
  Rows rows{.padding = data<bool>(mask), .cu_seqlens = data<int64_t>(cu_seqlens)};
  if (mask.defined()) rows.padding_batch_stride = mask.size(1);
  return rows;
}

at::Tensor like(const at::Tensor& tensor) {
  return tensor.defined() ? at::empty(tensor.sizes(), tensor.options()) : tensor;
}

at::Tensor output_like(const at::Tensor& query, int64_t V) {
  auto sizes = query.sizes().vec();
  sizes.back() = V;
  return at::empty(sizes, query.options());
}

at::Tensor denominator_like(const at::Tensor& query) {
  return at::empty(query.sizes().slice(0, query.dim() - 1), query.options());
}

}  // namespace

Results reference_attention(const Arguments& given, const AttentionOptions& options) {
  const Exact a(given);
  Results results{.output = output_like(a.query, a.shape.V), .S = like(a.S), .z = like(a.z)};
  const auto denominator = denominator_like(a.query);
  const AttentionForward<double> forward{.shape = a.shape,
                                         .options = options,
                                         .query_rows = rows(a.query_mask, a.cu_seqlens_q),
                                         .key_rows = rows(a.key_mask, a.cu_seqlens_k),
                                         .decay = data<float>(a.decay),
                                         .query = view<const double>(a.query),
                                         .key = view<const double>(a.key),
                                         .value = view<const double>(a.value),
                                         .output = view<double>(results.output),
                                         .denominator = data<double>(denominator),
                                         .position = data<int64_t>(a.position),
                                         .S = data<double>(a.S),
                                         .z = data<double>(a.z),
                                         .S_out = data<double>(results.S),
                                         .z_out = data<double>(results.z)};
  reference::attention_forward(forward);
  results.d_query = like(a.query), results.d_key = like(a.key), results.d_value = like(a.value);
  results.dS = like(a.S), results.dz = like(a.z);
  reference::attention_backward({.shape = a.shape,
                                 .options = options,
                                 .query_rows = forward.query_rows,
                                 .key_rows = forward.key_rows,
                                 .decay = forward.decay,
                                 .query = forward.query,
                                 .key = forward.key,
                                 .value = forward.value,
                                 .output = view<const double>(results.output),
                                 .denominator = data<double>(denominator),
                                 .d_output = view<const double>(a.d_output),
                                 .position = forward.position,
                                 .S = forward.S,
                                 .z = forward.z,
                                 .dS_out = data<double>(a.dS_out),
                                 .dz_out = data<double>(a.dz_out),
                                 .d_query = view<double>(results.d_query),
                                 .d_key = view<double>(results.d_key),
                                 .d_value = view<double>(results.d_value),
                                 .dS = data<double>(results.dS),
                                 .dz = data<double>(results.dz)});
  return results;
}

Results reference_state(const Arguments& given, const AttentionOptions& options) {
  const Exact a(given);
  Results results{.S = like(a.dS_out), .z = like(a.dz_out), .d_key = like(a.key), .d_value = like(a.value)};
  const AttentionState<double> state{.shape = a.shape,
                                     .options = options,
                                     .key_rows = rows(a.key_mask, {}),
                                     .decay = data<float>(a.decay),
                                     .key = view<const double>(a.key),
                                     .value = view<const double>(a.value),
                                     .position = data<int64_t>(a.position),
                                     .S = data<double>(results.S),
                                     .z = data<double>(results.z)};
  reference::attention_state(state);
  reference::attention_state_backward({.shape = a.shape,
                                       .options = options,
                                       .key_rows = state.key_rows,
                                       .decay = state.decay,
                                       .key = state.key,
                                       .value = state.value,
                                       .position = state.position,
                                       .dS = data<double>(a.dS_out),
                                       .dz = data<double>(a.dz_out),
                                       .d_key = view<double>(results.d_key),
                                       .d_value = view<double>(results.d_value)});
  return results;
}

Results reference_read(const Arguments& given, const AttentionOptions& options) {
  const Exact a(given);
  Results results{
      .output = output_like(a.query, a.shape.V), .d_query = like(a.query), .dS = like(a.S), .dz = like(a.z)};
  const auto denominator = denominator_like(a.query);
  const AttentionRead<double> read{.shape = a.shape,
                                   .options = options,
                                   .query = view<const double>(a.query),
                                   .S = data<double>(a.S),
                                   .z = data<double>(a.z),
                                   .position = data<int64_t>(a.position),
                                   .output = view<double>(results.output),
                                   .denominator = data<double>(denominator)};
  reference::attention_read(read);
  reference::attention_read_backward({.shape = a.shape,
                                      .options = options,
                                      .query = read.query,
                                      .S = read.S,
                                      .z = read.z,
                                      .position = read.position,
                                      .output = view<const double>(results.output),
                                      .denominator = data<double>(denominator),
                                      .d_output = view<const double>(a.d_output),
                                      .d_query = view<double>(results.d_query),
                                      .dS = data<double>(results.dS),
                                      .dz = data<double>(results.dz)});
  return results;
}

}  // namespace cosformer::ops::testing
