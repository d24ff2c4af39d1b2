#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <string>
#include <vector>

/// Tensors for the operators' tests.
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

/// bool [B, T] from rows such as "..xx", where x is padding.
inline at::Tensor mask(const std::vector<std::string>& rows) {
  const auto T = static_cast<int64_t>(rows.empty() ? 0 : rows[0].size());
  auto tensor = at::zeros({static_cast<int64_t>(rows.size()), T}, at::kBool);
  auto* data = tensor.mutable_data_ptr<bool>();
  for (const auto& row : rows) {
    for (const char c : row) *data++ = c == 'x';
  }
  return tensor;
}

/// What a state's and denominator's dtype is beside inputs of `dtype`.
inline at::ScalarType state_type(at::ScalarType dtype) {
  return dtype == at::kDouble ? at::kDouble : at::kFloat;
}

/// |a - b| / |b|, Euclidean.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const double norm = b.to(at::kDouble).norm().item<double>();
  const double error = (a.to(at::kDouble) - b.to(at::kDouble)).norm().item<double>();
  return norm == 0 ? error : error / norm;
}

}  // namespace cosformer::ops::testing
