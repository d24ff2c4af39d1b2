// Products of bfloat16 pairs, summed in float: VDPBF16PS.

#include <immintrin.h>

#include "peak_level.h"

namespace cosformer::bench {
namespace {

// One or two start in a cycle and take 6 on Zen 4, 8 on Intel's cores.
constexpr int kChains = 16;
constexpr int kOperations = 64;  // 16 lanes, two products and two sums each

}  // namespace

double dot_products(int64_t iterations) {
  const __m512bh x = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.01F), _mm512_set1_ps(0.01F));
  volatile float start = 0.5F;  // read anew for each chain, as in peak_level.cpp
  __m512 chains[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) chains[i] = _mm512_set1_ps(start);
  for (int64_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) chains[i] = _mm512_dpbf16_ps(chains[i], x, x);
  }
  __m512 total = _mm512_setzero_ps();
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) total = _mm512_add_ps(total, chains[i]);
  // The sum is used, so the loop cannot be left out; it is never negative.
  const double operations = 1.0 * kOperations * kChains * static_cast<double>(iterations);
  return _mm512_reduce_add_ps(total) < 0 ? 0 : operations;
}

}  // namespace cosformer::bench
