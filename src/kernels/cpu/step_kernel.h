#pragma once

// The recurrence, one token: every row of S is read, advanced, read by the queries of its group and written
// in one pass.

#include "kernels/cpu/pack.h"

namespace cosformer::cpu {
namespace {

inline constexpr int kStepHeads = 4;  // that read a row of S at once

COSFORMER_INLINE float to_float(float x) {
  return x;
}
COSFORMER_INLINE float to_float(bfloat16 x) {
  return static_cast<float>(x);
}

template <class T>
COSFORMER_INLINE float feature(const Step<T>& s, T x, int64_t n) {
  const float value = to_float(x);
  return (s.relu ? relu(value) : value) * (n == 0 ? s.cos : s.sin);
}

/// Columns [column, column + lanes) with V vectors, the last of which may be partial, for heads [h0, h0 + H).
/// With kWrite the state is written, faded to the next position.
template <int V, int H, bool kWrite, class T>
COSFORMER_INLINE void step_columns(const Step<T>& s, int64_t h0, int64_t column, int64_t lanes,
                                   const float* inverse) {
  constexpr int64_t kChain = 64;  // rows that are summed by themselves: roundings of a longer chain add up
  Vec value[V], sum[H][V] = {};
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) value[v] = load_up_to(s.value + column + v * W, lanes - v * W);
  for (int64_t n = 0; n < s.N; ++n) {
    for (int64_t first = 0; first < s.K; first += kChain) {
      Vec part[H][V] = {};
      for (int64_t k = first; k < smaller(first + kChain, s.K); ++k) {
        const float key = feature(s, s.key[k], n);
        float query[H];
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) query[h] = feature(s, s.query[(h0 + h) * s.query_stride + k], n);
        float* row = s.S + (n * s.K + k) * s.V + column;
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          const Vec state = load_up_to(row + v * W, lanes - v * W) + value[v] * key;
#pragma GCC unroll 4
          for (int h = 0; h < H; ++h) part[h][v] += state * query[h];
          if constexpr (kWrite) store_up_to(row + v * W, state * s.decay, lanes - v * W);
        }
      }
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) sum[h][v] += part[h][v];
      }
    }
  }
#pragma GCC unroll 4
  for (int h = 0; h < H; ++h) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      store_up_to(s.out + (h0 + h) * s.out_stride + column + v * W, sum[h][v] * inverse[h], lanes - v * W);
    }
  }
}

template <int H, bool kWrite, class T>
void step_heads(const Step<T>& s, int64_t h0, const float* inverse) {
  constexpr int V = H == 1 ? 4 : 2;
  int64_t column = 0;
  for (; column + V * W <= s.V; column += V * W) step_columns<V, H, kWrite>(s, h0, column, V * W, inverse);
  for (; column < s.V; column += W)
    step_columns<1, H, kWrite>(s, h0, column, smaller(W, s.V - column), inverse);
}

/// sum_k z q~ with z advanced; z itself changes with the last head. In chains, whose roundings do not add up
/// as one sum's would.
template <class T>
float step_denominator(const Step<T>& s, int64_t head, bool write) {
  constexpr int kChains = 8;
  float chains[kChains] = {};
  for (int64_t n = 0; n < s.N; ++n) {
    for (int64_t k = 0; k < s.K; ++k) {
      float& z = s.z[n * s.K + k];
      const float advanced = z + feature(s, s.key[k], n);
      chains[k % kChains] += advanced * feature(s, s.query[head * s.query_stride + k], n);
      if (write) z = advanced * s.decay;
    }
  }
  float denominator = 0;
  for (const float chain : chains) denominator += chain;
  return denominator;
}

template <class T>
void step(const Step<T>& s) {
  float inverse[kStepHeads];
  for (int64_t h0 = 0; h0 < s.heads;) {
    const int64_t left = s.heads - h0, count = left >= kStepHeads ? kStepHeads : 1;
    for (int64_t h = 0; h < count; ++h) {
      const float sum = step_denominator(s, h0 + h, h0 + h + 1 == s.heads);
      if (s.denominator) s.denominator[h0 + h] = sum;
      inverse[h] = !s.normalize ? 1.0F : 1.0F / (sum < s.eps ? s.eps : sum);
    }
    const bool last = left == count;
    if (count == 1) {
      last ? step_heads<1, true>(s, h0, inverse) : step_heads<1, false>(s, h0, inverse);
    } else {
      last ? step_heads<kStepHeads, true>(s, h0, inverse) : step_heads<kStepHeads, false>(s, h0, inverse);
    }
    h0 += count;
  }
}

}  // namespace
}  // namespace cosformer::cpu
