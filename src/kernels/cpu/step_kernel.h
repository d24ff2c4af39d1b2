#pragma once

// The recurrence, one token: every row of S is read, advanced, written and added to the output in one pass.

#include "kernels/cpu/simd.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {
namespace {

/// Columns [column, column + lanes) with V vectors; the last vector may be partial.
template <int V>
COSFORMER_INLINE void step_columns(const Step& s, int64_t column, int64_t lanes, float inverse) {
  Vec value[V], sum[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const int64_t left = lanes - v * W;
    value[v] = left >= W ? load(s.value + column + v * W) : load_partial(s.value + column + v * W, left);
    sum[v] = zero();
  }
  for (int64_t n = 0; n < s.N; ++n) {
    const float wave = n == 0 ? s.cos : s.sin;
    for (int64_t k = 0; k < s.K; ++k) {
      const float key = (s.relu && s.key[k] < 0 ? 0.0F : s.key[k]) * wave;
      const float query = (s.relu && s.query[k] < 0 ? 0.0F : s.query[k]) * wave;
      float* row = s.S + (n * s.K + k) * s.V + column;
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const int64_t left = lanes - v * W;
        Vec state = left >= W ? load(row + v * W) : load_partial(row + v * W, left);
        state += value[v] * key;
        sum[v] += state * query;
        if (left >= W) {
          store(row + v * W, state);
        } else {
          store_partial(row + v * W, state, left);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const int64_t left = lanes - v * W;
    if (left >= W) {
      store(s.out + column + v * W, sum[v] * inverse);
    } else {
      store_partial(s.out + column + v * W, sum[v] * inverse, left);
    }
  }
}

void step(const Step& s) {
  float denominator = 0;
  for (int64_t n = 0; n < s.N; ++n) {
    const float wave = n == 0 ? s.cos : s.sin;
    for (int64_t k = 0; k < s.K; ++k) {
      float& z = s.z[n * s.K + k];
      z += (s.relu && s.key[k] < 0 ? 0.0F : s.key[k]) * wave;
      denominator += z * ((s.relu && s.query[k] < 0 ? 0.0F : s.query[k]) * wave);
    }
  }
  if (s.denominator) *s.denominator = denominator;
  const float inverse = 1.0F / (denominator < s.eps ? s.eps : denominator);
  int64_t column = 0;
  for (; column + 4 * W <= s.V; column += 4 * W) step_columns<4>(s, column, 4 * W, inverse);
  for (; column < s.V; column += W) step_columns<1>(s, column, smaller(W, s.V - column), inverse);
}

void row_terms(int64_t rows, int64_t V, const float* out, int64_t out_stride, const float* d_out,
               int64_t d_out_stride, const float* denominator, int64_t denominator_stride, float eps,
               float* scale, float* delta) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* a = out + r * out_stride;
    const float* b = d_out + r * d_out_stride;
    Vec sum = zero();
    for (int64_t c = 0; c < V; c += W) {
      const int64_t left = V - c;
      sum += left >= W ? load(a + c) * load(b + c) : load_partial(a + c, left) * load_partial(b + c, left);
    }
    const float den = denominator[r * denominator_stride];
    const bool clamped = den < eps;
    scale[r] = 1.0F / (clamped ? eps : den);
    delta[r] = clamped ? 0.0F : -scale[r] * sum_lanes(sum);
  }
}

}  // namespace
}  // namespace cosformer::cpu
