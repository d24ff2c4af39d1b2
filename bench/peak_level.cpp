// Loops of one instruction set: this file is compiled once for each, with COSFORMER_LEVEL as its name.

#include "peak_level.h"

#define COSFORMER_JOIN_(a, b) a##b
#define COSFORMER_JOIN(a, b) COSFORMER_JOIN_(a, b)

namespace cosformer::bench {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kChains = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
constexpr int kChains = 12;
#else
constexpr int kLanes = 4;
constexpr int kChains = 12;
#endif
// 2 ports x 4 cycles = 8 chains keep fused multiply-add busy, and separate multiply and add need no more,
// since each link of a chain is two instructions; kChains plus two constants fit the registers.

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef float UnalignedVec __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

float sum_lanes(Vec v) {
  float total = 0;
  for (int i = 0; i < kLanes; ++i) total += v[i];
  return total;
}

double arithmetic(int64_t iterations) {
  const Vec factor = Vec{} + 0.999F, addend = Vec{} + 0.001F;
  // Read anew for each chain: of a value it knows the compiler would leave out what it can foretell.
  volatile float start = 0.5F;
  Vec chains[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) chains[i] = Vec{} + start;
  for (int64_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) chains[i] = chains[i] * factor + addend;
  }
  Vec total{};
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) total += chains[i];
  // The sum is used, so the loop cannot be left out; it is never negative.
  const double operations = 2.0 * kLanes * kChains * static_cast<double>(iterations);
  return sum_lanes(total) < 0 ? 0 : operations;
}

float read(const float* data, int64_t count) {
  Vec sums[8] = {};
  for (int64_t i = 0; i < count; i += 8 * kLanes) {
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) sums[j] += *reinterpret_cast<const UnalignedVec*>(data + i + j * kLanes);
  }
  Vec total{};
  for (const Vec& sum : sums) total += sum;
  return sum_lanes(total);
}

}  // namespace

const PeakLevel& COSFORMER_JOIN(peak_level_, COSFORMER_LEVEL)() {
  static constexpr PeakLevel kLevel = {arithmetic, read};
  return kLevel;
}

}  // namespace cosformer::bench
