#pragma once

#include <cstdint>
#include <vector>

#include "cosformer/isa.h"

/// What the processor can do at best, measured. Threads are those of cosformer::parallel_for.
namespace cosformer::bench {

/// What is multiplied; sums are single precision.
enum class Operand { float32, bfloat16 };

/// Operations a second (a multiply-add counts two) of a register-only loop of the best instruction that the
/// set has for the operand, on `threads` threads at once. Sets without products of bfloat16 widen it: their
/// peak is that of float32. Products of float32 are AVX-512's in all sets above. Takes about 10 ms.
/// @throws DeviceError if the machine lacks the set
double peak_arithmetic(Isa isa, Operand operand, int threads);

/// 512 MB that are read to measure bandwidth.
class BandwidthProbe {
 public:
  BandwidthProbe();
  /// Bytes a second of reading them once on `threads` threads.
  double measure(int threads) const;

 private:
  std::vector<float> data_;
};

}  // namespace cosformer::bench
