#pragma once

#include "kernels/cuda/warpgroup_scan.h"

// Factors that a chunk's products read, and what it adds to the state.

namespace cosformer::cuda {

/// The state before the chunk, as rows X of columns: 32 of cosine and the same of sine, for each warpgroup.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::put_state(float faded) {
  if constexpr (kPart == Part::read) return put_kept_state();
  // Lane l names row l % 8 of the matrix of rows l / 8 % 2, columns l / 16.
  const int x = (X == 128 ? 64 * warpgroup() : 0) + thread() / 32 % 4 * 16 + lane() % 16,
            column = lane() / 16 * 8;
  const auto put = [&](auto has_before) {
    const auto pair = [&](int m, int n, int i) {
      const float first = local_[m][n][i], second = local_[m][n][i + 1];
      if constexpr (!decltype(has_before)::value) return narrow_pair(first, second, state_scale_, T{});
      const Four sum = before(m, n);
      return narrow_pair(fused(sum.at[i], faded, first), fused(sum.at[i + 1], faded, second), state_scale_,
                         T{});
    };
#pragma unroll
    for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
      for (int n = 0; n < L::kStateN; n += 2) {
        char* panel = state_ + n / 4 * (X * 128);
        store_matrices(panel + panel_place<Panel::wide>(x, 2 * (state_wave(m) * 32 + n % 4 * 8 + column)),
                       pair(m, n, 0), pair(m, n, 2), pair(m, n + 1, 0), pair(m, n + 1, 2));
      }
    }
  };
  if (this->has_before_) {
    put(std::true_type{});
  } else {
    put(std::false_type{});
  }
}

/// That of a read, once.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::put_kept_state() {
  if constexpr (kNarrow<T>) {
#pragma unroll
    for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
      for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) state_scale_.see(kept_[m][n][i], T{});
      }
    }
    state_scale_.fit_block();
  }
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; i += 2) {
        const int x = state_x(m, n, i), y = state_y(n, i), column = state_wave(m) * 32 + y % 32;
        put_pair(reinterpret_cast<T*>(state_ + y / 32 * (X * 128) + panel_place<Panel::wide>(x, 2 * column)),
                 kept_[m][n][i], kept_[m][n][i + 1], state_scale_);
      }
    }
  }
}

/// Elements below the floor become it.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::raise(uint32_t (&pairs)[4], float floor) {
  const uint32_t floors = narrow_pair(floor, floor, T{});
#pragma unroll
  for (uint32_t& pair : pairs) pair = at_least(pair, floors, T{});
}

/// The same of all rows a or b.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::put_floors(char* rows, float floor) {
  if (!finite(floor)) return;
  auto* vectors = reinterpret_cast<Pairs*>(rows);
#pragma unroll
  for (int k = 0; k < L::kWideBytes / 16 / kThreads; ++k) {
    Pairs& pairs = vectors[k * kThreads + thread()];
    Pairs raised = pairs;
    raise(raised.at, floor);
    pairs = raised;
  }
}

/// Rows c times their cosine and sine, and c itself above its floor. Returns whether this thread saw a number
/// that is not finite.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE bool WarpgroupScan<T, kX, kPart>::put_waves(const Factors& f) {
  const bool floored = finite(args_.floor_c);
  uint32_t largest = 0;  // of two sets of magnitudes
  const int y = thread() % 8 * 8;
#pragma unroll
  for (int k = 0; k < C * 8 / kThreads; ++k) {
    const int r = thread() / 8 + k * (kThreads / 8);
    auto& values = *reinterpret_cast<Pairs*>(value_at(c_rows_, r, y));
    Pairs pairs = values, cosines, sines;
    if (floored) {
      raise(pairs.at, args_.floor_c);
      values = pairs;
    }
    const float cosine = f.source_cos[r], sine = f.source_sin[r];
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      largest = at_least(largest, pairs.at[e] & 0x7FFF7FFF, T{});
      const float first = half_of<T>(pairs.at[e], 0), second = half_of<T>(pairs.at[e], 1);
      cosines.at[e] = narrow_pair(first * cosine, second * cosine, waves_scale_, T{});
      sines.at[e] = narrow_pair(first * sine, second * sine, waves_scale_, T{});
    }
    *reinterpret_cast<Pairs*>(wide_at(waves_, r, y)) = cosines;
    *reinterpret_cast<Pairs*>(wide_at(waves_, r, 64 + y)) = sines;
  }
  return !finite(half_of<T>(largest, 0)) || !finite(half_of<T>(largest, 1));
}

/// State and waves anew, as small as they have to be.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::fit_factors(const Chunk& chunk, const Factors& f) {
  if (kReads && state_scale_.fit_block()) put_state(chunk.faded);
  if (waves_scale_.fit_block()) put_waves(f);
}

/// local += b^T waves
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::begin_state() {
  const uint64_t b = panel_at<Panel::wide>(b_rows_ + (X == 128 ? warpgroup() * L::kPanel : 0)),
                 waves = panel_at<Panel::wide>(waves_);
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int k = 0; k < C; k += 16) {
      warpgroup_multiply<true, true>(local_[m], b + k * 128 / 16,
                                     waves + (state_wave(m) * L::kPanel + k * 128) / 16, true, T{});
    }
  }
}

}  // namespace cosformer::cuda
