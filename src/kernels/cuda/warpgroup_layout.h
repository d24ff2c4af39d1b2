#pragma once

#include <type_traits>

#include "kernels/cuda/walk.h"

namespace cosformer::cuda {

/// Sizes of tiles for Hopper's matrix instructions. Every panel begins at a multiple of 1,024 bytes. A read
/// has little else than rows a, a sum than rows b and c: two blocks of them fit a processor.
template <class kT, int kX, Part kPart>
struct WarpgroupLayout {
  using T = kT;
  static_assert(sizeof(T) == 2 && (kX == 64 || kX == 128));
  static constexpr bool kReads = kPart != Part::sum, kSums = kPart != Part::read;
  static constexpr int X = kX, Y = 64, C = 64;
  static constexpr int kStateM = X / 64, kStateN = 8;

  static constexpr int kPanel = C * 128, kHalfPanel = C * 64;  // 64 and 32 columns of C rows
  static constexpr int kWideBytes = X / 64 * kPanel, kValueBytes = 2 * kHalfPanel;

  // A stage: rows a, b and c, those of the gate, in whose place a read's outputs leave, and numbers of
  // tokens.
  static constexpr int kStages = kSums ? 2 : 3;
  static constexpr int kB = kReads ? kWideBytes : 0, kC = kB + (kSums ? kWideBytes : 0),
                       kGate = kC + (kSums ? kValueBytes : 0);
  static constexpr int kStageBytes =
      kGate + (kReads ? kPanel : 0) + Factors::kArrays * C * static_cast<int>(sizeof(float));

  // The walk's own, sums, barriers.
  static constexpr int kNumberBytes =
      static_cast<int>(sizeof(WalkMemory<X, C, kPart>) + C * sizeof(float) + kStages * sizeof(uint64_t));
  static constexpr int kFloatBytes = (kNumberBytes + 1023) / 1024 * 1024;
  static constexpr int kStateBytes = kReads ? 2 * X * 128 : 0, kWaveBytes = kSums ? 2 * kPanel : 0;
  static constexpr int kBeforeBytes =
      kReads && kSums ? kStateM * kStateN * 4 * kThreads * static_cast<int>(sizeof(float)) : 0;
  static constexpr int kOutBytes = kReads && kSums ? kPanel : 0;  // a sweep's outputs leave from there
  // The vector's parts as a factor, 8 by X.
  static constexpr bool kSplitsVector = kReads && kSums && std::is_same_v<T, bfloat16>;
  static constexpr int kVectorBytes = kSplitsVector ? X / 64 * 8 * 128 : 0;
  static constexpr int kBytes = kStages * kStageBytes + kFloatBytes + kStateBytes + kWaveBytes +
                                kBeforeBytes + kOutBytes + kVectorBytes;
  // Of 228 KB, each block takes 1 KB more.
  static constexpr int kBlocksAProcessor = kReads && kSums ? 0 : 2;
  static_assert((kReads && kSums ? 1 : 2) * (kBytes + 1024) <= 228 * 1024);
  static_assert(kStageBytes % 1024 == 0);
};

}  // namespace cosformer::cuda
