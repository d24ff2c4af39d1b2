#pragma once

#include "kernels/cuda/warpgroup_scan.h"

// What readers get of the vector beside the state: denominators, and the terms e.

namespace cosformer::cuda {

/// Rows a above their floor, and each one's product with the vector: eight threads a row.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::put_features(const Factors& f) {
  if (args_.along != Along::b) return put_floors(a_rows_, args_.floor_a);
#pragma unroll
  for (int r = thread() / 8; r < C; r += kThreads / 8) {
    float sums[2] = {};
#pragma unroll
    for (int x = 0; x < X / 8; x += 8) {
      auto* place = reinterpret_cast<Pairs*>(wide_at(a_rows_, r, 8 * x + thread() % 8 * 8));
      Pairs pairs = *place;
      if (finite(args_.floor_a)) {
        raise(pairs.at, args_.floor_a);
        *place = pairs;
      }
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        const float feature = half_of<T>(pairs.at[e / 2], e % 2);
        for (int n = 0; n < 2; ++n) sums[n] = fused(feature, part_[n][x + e], sums[n]);
      }
    }
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      for (int step = 1; step < 8; step *= 2) sums[n] += of_lane_xor(sums[n], step);
    }
    if (thread() % 8 != 0) continue;
    sums_[r] = f.reader_cos[r] * sums[0];
    if (args_.N == 2) sums_[r] = fused(f.reader_sin[r], sums[1], sums_[r]);
  }
}

/// The vector as a factor: of each wave what bfloat16 holds, what it holds of the rest, and of that rest.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::put_split_vector(float faded) {
  if (!this->is_first_along()) return;
  const int x = this->along_element();
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    float rest = this->vector_before_chunk(n, faded);
#pragma unroll
    for (int part = 0; part < 3; ++part) {
      T& held = *reinterpret_cast<T*>(split_vector_ + x / 64 * (8 * 128) +
                                      panel_place<Panel::wide>(3 * n + part, x % 64 * 2));
      narrow(rest, held);
      rest = finite(widen(held)) ? rest - widen(held) : 0.0F;
    }
  }
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::begin_split(const uint32_t (&features)[X / 16][4],
                                                               float (&split)[1][4]) const {
  const uint64_t vector = panel_at<Panel::wide>(split_vector_);
#pragma unroll
  for (int x = 0; x < X; x += 16) {
    warpgroup_multiply<false>(split, features[x / 16], vector + (x / 64 * (8 * 128) + x % 64 * 2) / 16, x > 0,
                              T{});
  }
}

/// Adds what the state gives to the sums of rows: a lane has two parts of each of its rows.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::join_split(const float (&split)[4], const Factors& f) {
  if (args_.along != Along::b || !started_) return;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float cosine = f.reader_cos[row(2 * half)], sine = f.reader_sin[row(2 * half)];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int part = fragment_column(0, i);
      if (part < 6) row_sums_[half] = fused(part < 3 ? cosine : sine, split[2 * half + i], row_sums_[half]);
    }
  }
}

/// Each row's product with the vector beside the state: eight lanes a row, two rows each.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::find_sums(const Factors& f) {
  if (args_.along != Along::b) return;
  const int first = thread() / 8, part = thread() % 8;
  constexpr int kApart = kThreads / 8;
  const bool floored = finite(args_.floor_a);
  float sums[2][2] = {};  // of two rows, with the vector's waves
#pragma unroll
  for (int x = 0; x < X; x += 64) {
    float vector[2][8];
    Pairs features[2];
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      features[k] = *reinterpret_cast<const Pairs*>(wide_at(a_rows_, first + k * kApart, x + 8 * part));
      if (floored) raise(features[k].at, args_.floor_a);
      const auto* from = reinterpret_cast<const Four*>(&own_.vector[k][x + 8 * part]);
      for (int e = 0; e < 8; ++e) vector[k][e] = from[e / 4].at[e % 4];
    }
#pragma unroll
    for (int k = 0; k < 2; ++k) {
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        const float feature = half_of<T>(features[k].at[e / 2], e % 2);
        sums[k][0] = fused(feature, vector[0][e], sums[k][0]);
        sums[k][1] = fused(feature, vector[1][e], sums[k][1]);
      }
    }
  }
  float joined[2];
#pragma unroll
  for (int k = 0; k < 2; ++k) {
    const int r = first + k * kApart;
    joined[k] = fused(f.reader_sin[r], sums[k][1], f.reader_cos[r] * sums[k][0]);
  }
  const bool second = part >= 4;
  float sum = (second ? joined[1] : joined[0]) + of_lane_xor(second ? joined[0] : joined[1], 4);
  sum += of_lane_xor(sum, 2);
  sum += of_lane_xor(sum, 1);
  if (part % 4 == 0) sums_[first + (second ? kApart : 0)] = started_ ? sum : 0.0F;
}

/// Denominators, of the weights inside the chunk and of the state.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::sum_rows() {
  if (args_.along != Along::b) return;
#pragma unroll
  for (float& sum : row_sums_) {
    sum += of_lane_xor(sum, 1);
    sum += of_lane_xor(sum, 2);
  }
}

/// Adds to the outputs of half of this thread's rows what the vector before the chunk gives them.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::add_vector(const Factors& f, int half) {
  const int r = row(2 * half);
  const float share = args_.reader_add ? f.reader_add[r] : 1.0F;
  const float cosine = share * f.reader_cos[r], sine = share * f.reader_sin[r];
#pragma unroll
  for (int n = 0; n < kOutN; ++n) {
    const int y = warpgroup() * 32 + fragment_column(n, 0);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float& out = out_[n][2 * half + i];
      out = fused(cosine, own_.vector[0][y + i], fused(sine, own_.vector[1][y + i], out));
    }
  }
}

}  // namespace cosformer::cuda
