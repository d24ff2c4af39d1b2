#pragma once

#include <cstdint>

namespace cosformer {

/// IEEE half precision, as GPUs store it: a sign, 5 bits of exponent, 10 bits of fraction. Not computed with
/// on a CPU.
struct float16 {
  uint16_t bits;
};

}  // namespace cosformer
