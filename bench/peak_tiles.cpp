// Products of bfloat16 tiles, summed in float: TDPBF16PS.

#include <algorithm>
#include <iterator>

#include "peak_level.h"

namespace cosformer::bench {
namespace {

// One starts every 16 cycles and takes 52: four sums hide that.
constexpr int kChains = 4;
constexpr int kOperations = 2 * 16 * 16 * 32;  // rows, columns, terms of a sum

struct TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16};
};

// Not the compiler's intrinsics: theirs do not say that they read memory.
template <int kTile>
void load(const void* base) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(base), "r"(int64_t{64}), "i"(kTile) : "memory");
}
template <int kTile>
void store(void* base) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(base), "r"(int64_t{64}), "i"(kTile) : "memory");
}

}  // namespace

double tile_products(int64_t iterations) {
  const TileConfig config;
  __asm__ volatile("ldtilecfg %0" ::"m"(config));
  uint16_t operand[16 * 32];
  std::fill(std::begin(operand), std::end(operand), uint16_t{0x3C24});  // 0.01
  float sums[kChains][16 * 16] = {};
  load<0>(sums[0]);
  load<1>(sums[1]);
  load<2>(sums[2]);
  load<3>(sums[3]);
  load<4>(operand);
  load<5>(operand);
  const int64_t rounds = iterations / kChains;  // an iteration is one product, 16 cycles
  for (int64_t n = 0; n < rounds; ++n) {
    __asm__ volatile(
        "tdpbf16ps %tmm5, %tmm4, %tmm0\n"
        "tdpbf16ps %tmm5, %tmm4, %tmm1\n"
        "tdpbf16ps %tmm5, %tmm4, %tmm2\n"
        "tdpbf16ps %tmm5, %tmm4, %tmm3");
  }
  store<0>(sums[0]);
  store<1>(sums[1]);
  store<2>(sums[2]);
  store<3>(sums[3]);
  __asm__ volatile("tilerelease");
  float least = sums[0][0];
  for (const auto& sum : sums) least = std::min(least, *std::min_element(std::begin(sum), std::end(sum)));
  // Each sum is above 0, unless a product was not computed.
  return least > 0 ? 1.0 * kOperations * kChains * static_cast<double>(rounds) : 0;
}

}  // namespace cosformer::bench
