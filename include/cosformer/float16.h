#pragma once

#include <cstdint>

namespace cosformer {

/// IEEE half precision, as GPUs store it: a sign, 5 bits of exponent, 10 bits of fraction. Not computed with
/// on a CPU.
struct float16 {
  uint16_t bits;

  float16() = default;
  /// Rounds to nearest, ties to even; what is too large becomes infinite, NaN stays NaN.
  explicit float16(float value) {
    const auto whole = __builtin_bit_cast(uint32_t, value);
    const uint32_t sign = whole >> 16 & 0x8000U, size = whole & 0x7FFFFFFFU;
    uint32_t half;
    if (size > 0x7F800000U) {
      half = 0x7E00U;
    } else if (size >= 0x47800000U) {  // 65,536 and more
      half = 0x7C00U;
    } else if (size < 0x38800000U) {  // below 2^-14: a multiple of 2^-24, as are the last bits of 0.5 + x
      half = __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, size) + 0.5F) - 0x3F000000U;
    } else {
      half = (size - (112U << 23) + 0xFFFU + (size >> 13 & 1U)) >> 13;
    }
    bits = static_cast<uint16_t>(sign | half);
  }
  explicit operator float() const {
    const uint32_t sign = (bits & 0x8000U) << 16, exponent = bits >> 10 & 31U, fraction = bits & 0x3FFU;
    if (exponent == 0) {
      const float size = static_cast<float>(fraction) * 0x1p-24F;
      return sign ? -size : size;
    }
    const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
    return __builtin_bit_cast(float, sign | wide << 23 | fraction << 13);
  }
};

}  // namespace cosformer
