#pragma once

#include <cstdint>

namespace cosformer::bench {

/// Loops of one instruction set.
struct PeakLevel {
  /// Multiplies and adds in registers alone; returns the floating-point operations done. An iteration takes
  /// about 16 cycles.
  double (*arithmetic)(int64_t iterations);
  /// Reads `count` floats once, a multiple of 256; returns their sum.
  float (*read)(const float* data, int64_t count);
};

const PeakLevel& peak_level_generic();
const PeakLevel& peak_level_avx2();
const PeakLevel& peak_level_avx512();

/// As PeakLevel::arithmetic, by products of bfloat16 pairs (AVX512_BF16) and of bfloat16 tiles (AMX). The
/// caller makes sure that the machine has them.
double dot_products(int64_t iterations);
double tile_products(int64_t iterations);

}  // namespace cosformer::bench
