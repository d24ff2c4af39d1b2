#pragma once

#include <cstdint>

namespace cosformer {

/// The upper half of a float: its sign, its exponent, 7 bits of fraction.
struct bfloat16 {
  uint16_t bits;

  bfloat16() = default;
  /// Rounds to nearest, ties to even; NaN stays NaN.
  [[gnu::always_inline]] explicit bfloat16(float value) {
    const auto whole = __builtin_bit_cast(uint32_t, value);
    const bool is_nan = (whole & 0x7FFFFFFFU) > 0x7F800000U;
    bits = static_cast<uint16_t>(is_nan ? (whole >> 16) | 0x40U
                                        : (whole + 0x7FFFU + ((whole >> 16) & 1U)) >> 16);
  }
  [[gnu::always_inline]] explicit operator float() const {
    return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16);
  }
};

}  // namespace cosformer
