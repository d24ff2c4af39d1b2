#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <vector>

#include "cosformer/attention.h"

/// Tensors for the operators' tests, and the kernel library's reference on them.
namespace cosformer::ops::testing {

/// Values in [-1, 1] that depend on `seed` and the index alone, none of them near 0.
inline at::Tensor values(std::vector<int64_t> sizes, int64_t seed, at::ScalarType dtype = at::kFloat) {
  auto tensor = at::empty(sizes, at::kDouble);
  auto* data = tensor.mutable_data_ptr<double>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    const double wave = std::sin(static_cast<double>(i * 7919 + seed * 104729));
    data[i] = wave < 0 ? wave - 0.01 : wave + 0.01;
  }
  return tensor.to(dtype);
}

struct Inputs {
  at::Tensor query, key, value;
};

inline Inputs inputs(int64_t B, int64_t Tq, int64_t Tk, int64_t H, int64_t K, int64_t V,
                     at::ScalarType dtype = at::kFloat) {
  return {values({B, Tq, H, K}, 1, dtype), values({B, Tk, H, K}, 2, dtype), values({B, Tk, H, V}, 3, dtype)};
}

template <class T>
View<T> view(const at::Tensor& tensor) {
  return {static_cast<T*>(tensor.data_ptr()), tensor.stride(0), tensor.stride(1), tensor.stride(2)};
}

struct Expected {
  at::Tensor output, d_query, d_key, d_value;
};

/// The double reference's answer; the incoming gradient is all ones.
inline Expected expected(const Inputs& inputs, const AttentionOptions& options) {
  const auto q = inputs.query.to(at::kDouble).contiguous(), k = inputs.key.to(at::kDouble).contiguous(),
             v = inputs.value.to(at::kDouble).contiguous();
  const AttentionShape shape{q.size(0), q.size(1), k.size(1), q.size(2), k.size(2), q.size(3), v.size(3)};
  Expected result;
  result.output = at::empty({shape.B, shape.Tq, shape.H, shape.V}, at::kDouble);
  const auto denominator = at::empty({shape.B, shape.Tq, shape.H}, at::kDouble);
  AttentionForward<double> forward;
  forward.shape = shape;
  forward.options = options;
  forward.query = view<const double>(q);
  forward.key = view<const double>(k);
  forward.value = view<const double>(v);
  forward.output = view<double>(result.output);
  forward.denominator = denominator.mutable_data_ptr<double>();
  reference::attention_forward(forward);

  const auto d_output = at::ones_like(result.output);
  result.d_query = at::empty(q.sizes(), at::kDouble);
  result.d_key = at::empty(k.sizes(), at::kDouble);
  result.d_value = at::empty(v.sizes(), at::kDouble);
  AttentionBackward<double> backward;
  backward.shape = shape;
  backward.options = options;
  backward.query = forward.query;
  backward.key = forward.key;
  backward.value = forward.value;
  backward.output = view<const double>(result.output);
  backward.denominator = forward.denominator;
  backward.d_output = view<const double>(d_output);
  backward.d_query = view<double>(result.d_query);
  backward.d_key = view<double>(result.d_key);
  backward.d_value = view<double>(result.d_value);
  reference::attention_backward(backward);
  return result;
}

/// |a - b| / |b|, Euclidean.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const double norm = b.to(at::kDouble).norm().item<double>();
  const double error = (a.to(at::kDouble) - b.to(at::kDouble)).norm().item<double>();
  return norm == 0 ? error : error / norm;
}

}  // namespace cosformer::ops::testing
