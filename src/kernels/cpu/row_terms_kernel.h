#pragma once

// What the backward pass needs to know of each row before it starts. Heads in the inner loop: their rows are
// neighbours.

#include "kernels/cpu/pack.h"

namespace cosformer::cpu {
namespace {

template <class T>
void row_terms(const RowTerms<T>& t) {
  for (int64_t r = t.first; r < t.first + t.count; ++r) {
    const int64_t line = t.side.line(r);
    for (int64_t h = 0; h < t.heads; ++h) {
      const T* a = t.out.line(h, line);
      const T* b = t.d_out.line(h, line);
      Vec sum = zero();
      for (int64_t c = 0; c < t.V; c += W) sum += load_up_to(a + c, t.V - c) * load_up_to(b + c, t.V - c);
      const float den = *t.denominator.line(h, line);
      const bool clamped = den < t.eps;
      const float scale = 1.0F / (clamped ? t.eps : den);
      t.scale[h * t.head_stride + r] = scale;
      t.delta[h * t.head_stride + r] = clamped ? 0.0F : -scale * sum_lanes(sum);
    }
  }
}

}  // namespace
}  // namespace cosformer::cpu
