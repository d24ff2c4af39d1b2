#pragma once

#include "kernels/cuda/warpgroup_scan.h"

// Factors that a chunk's products read, and what it adds to the state.

namespace cosformer::cuda {

/// The state before the chunk, as rows X of columns: 32 of cosine and the same of sine, for each warpgroup.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::put_state(float faded) {
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; i += 2) {
        const int x = state_x(m, n, i), y = state_y(n, i), column = state_wave(m) * 32 + y % 32;
        put_pair(reinterpret_cast<T*>(state_ + y / 32 * (X * 128) + panel_place<Panel::wide>(x, 2 * column)),
                 fused(before(m, n, i), faded, local_[m][n][i]),
                 fused(before(m, n, i + 1), faded, local_[m][n][i + 1]));
      }
    }
  }
}

/// Elements below the floor become it.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::raise(Pairs& pairs, float floor) {
  const uint32_t floors = narrow_pair(floor, floor, T{});
#pragma unroll
  for (int e = 0; e < 4; ++e) pairs.at[e] = at_least(pairs.at[e], floors, T{});
}

/// The same of all rows a or b.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::put_floors(char* rows, float floor) {
  if (!finite(floor)) return;
  auto* vectors = reinterpret_cast<Pairs*>(rows);
#pragma unroll
  for (int v = thread(); v < L::kWideBytes / 16; v += kThreads) {
    Pairs pairs = vectors[v];
    raise(pairs, floor);
    vectors[v] = pairs;
  }
}

/// Rows c times their cosine and sine, and c itself above its floor. Returns whether this thread saw a number
/// that is not finite.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE bool WarpgroupScan<T, kX, kPart>::put_waves(const Factors& f) {
  bool good = true;
#pragma unroll
  for (int v = thread(); v < C * Y / 8; v += kThreads) {
    const int r = v / (Y / 8), y = v % (Y / 8) * 8;
    auto& values = *reinterpret_cast<Vector<T>*>(value_at(c_rows_, r, y));
    Vector<T> floored = values, cosines, sines;
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const float value = at_least(widen(floored.at[e]), args_.floor_c);
      good = good && finite(value);
      narrow(value, floored.at[e]);
      narrow(value * f.source_cos[r], cosines.at[e]);
      narrow(value * f.source_sin[r], sines.at[e]);
    }
    values = floored;
    *reinterpret_cast<Vector<T>*>(wide_at(waves_, r, y)) = cosines;
    *reinterpret_cast<Vector<T>*>(wide_at(waves_, r, 64 + y)) = sines;
  }
  return !good;
}

/// local += b^T waves
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::begin_state() {
  const char* b = b_rows_ + (X == 128 ? warpgroup() * L::kPanel : 0);
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int k = 0; k < C; k += 16) {
      warpgroup_multiply<true, true>(local_[m], panel_at<Panel::wide>(b + k * 128),
                                     panel_at<Panel::wide>(waves_ + state_wave(m) * L::kPanel + k * 128),
                                     true, T{});
    }
  }
}

}  // namespace cosformer::cuda
