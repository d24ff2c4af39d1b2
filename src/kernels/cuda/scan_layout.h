#pragma once

#include "kernels/cuda/walk.h"

namespace cosformer::cuda {

/// Sizes of tiles. Rows are padded by 16 bytes, so that eight of them lie in different banks.
template <class kT, int kX>
struct ScanLayout {
  using T = kT;
  static constexpr int X = kX, Y = X <= 128 ? 64 : 32, C = sizeof(T) == 2 ? 64 : 32;
  static constexpr int kPad = 16 / sizeof(T);
  static constexpr int kWide = X + kPad, kNarrow = Y + kPad, kPairs = C + kPad, kWaves = 2 * Y + kPad;

  // Warps over the C rows and Y columns of an output, and over the X rows and N waves of a state.
  static constexpr int kRowWarps = sizeof(T) == 2 && Y == 32 ? 4 : 2, kColumnWarps = kWarps / kRowWarps;
  static constexpr int M = C / (16 * kRowWarps), kN = Y / (8 * kColumnWarps),
                       kPairsN = C / (8 * kColumnWarps);
  static constexpr int kStateM = X / 64, kStateN = Y / 8;
  static constexpr int kBlocksAProcessor = 0;  ///< as many as the compiler comes to

  static constexpr int kStageBytes = (2 * C * kWide + C * kNarrow) * static_cast<int>(sizeof(T)) +
                                     Factors::kArrays * C * static_cast<int>(sizeof(float));
  static constexpr int kRestBytes = (X * kWaves + C * kPairs + C * kWaves) * static_cast<int>(sizeof(T)) +
                                    (kColumnWarps * C + C) * static_cast<int>(sizeof(float)) +
                                    static_cast<int>(sizeof(WalkMemory<X, C, Part::sweep>));
  static constexpr int kMost = 160 * 1024;  // what a block may have on sm_80
  static constexpr int kStages = 2 * kStageBytes + kRestBytes <= kMost ? 2 : 1;
  static constexpr int kBytes = kStages * kStageBytes + kRestBytes;
  static_assert(kBytes <= kMost);
};

}  // namespace cosformer::cuda
