#pragma once

#include <cstdint>

namespace cosformer::bench {

/// Loops of one instruction set.
struct PeakLevel {
  /// Multiplies and adds in registers alone; returns the floating-point operations done.
  double (*arithmetic)(int64_t iterations);
  /// Reads `count` floats once, a multiple of 256; returns their sum.
  float (*read)(const float* data, int64_t count);
};

const PeakLevel& peak_level_generic();
const PeakLevel& peak_level_avx2();
const PeakLevel& peak_level_avx512();

}  // namespace cosformer::bench
