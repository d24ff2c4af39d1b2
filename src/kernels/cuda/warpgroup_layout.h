#pragma once

#include "kernels/cuda/walk.h"

namespace cosformer::cuda {

/// Sizes of tiles for Hopper's matrix instructions. Every panel begins at a multiple of 1,024 bytes.
template <class kT, int kX>
struct WarpgroupLayout {
  using T = kT;
  static_assert(sizeof(T) == 2 && (kX == 64 || kX == 128));
  static constexpr int X = kX, Y = 64, C = 64;
  static constexpr int kStateM = X / 64, kStateN = 8;

  static constexpr int kPanel = C * 128, kHalfPanel = C * 64;  // 64 and 32 columns of C rows
  static constexpr int kWideBytes = X / 64 * kPanel, kValueBytes = 2 * kHalfPanel;
  static constexpr int kStages = 2;
  static constexpr int kStageBytes =
      2 * kWideBytes + kValueBytes + Factors::kArrays * C * static_cast<int>(sizeof(float));
  static constexpr int kFloatBytes = 2048;  // table, vector, sums, barriers
  static constexpr int kStateBytes = 2 * X * 128, kWaveBytes = 2 * kPanel;
  static constexpr int kRow = Y + 8;  // elements of a row on its way out, 16 bytes from the next one's banks
  static constexpr int kBeforeBytes = kStateM * kStateN * 4 * kThreads * static_cast<int>(sizeof(float));
  static constexpr int kBytes =
      kStages * kStageBytes + kFloatBytes + kStateBytes + kWaveBytes + kBeforeBytes + C * kRow * 2;
  static_assert(kBytes <= 227 * 1024);
  static_assert(kStageBytes % 1024 == 0 &&
                (2 * C + 2 * X) * sizeof(float) + kStages * sizeof(uint64_t) <= kFloatBytes);
};

}  // namespace cosformer::cuda
