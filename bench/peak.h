#pragma once

#include <cstdint>
#include <vector>

#include "cosformer/isa.h"

/// What the processor can do at best, measured. Threads are those of cosformer::parallel_for.
namespace cosformer::bench {

/// Single-precision operations a second (a fused multiply-add counts two) of a register-only loop, on
/// `threads` threads at once. Takes about 10 ms.
/// @throws DeviceError if the machine lacks the set
double peak_arithmetic(Isa isa, int threads);

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
