#pragma once

#include "kernels/cuda/scan.h"

// What the readers of a chunk get: from the state, and from the sources inside the chunk.

namespace cosformer::cuda {

/// out = a S, each wave times the reader's; 0 where there is no state yet
template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::read_state(const Factors& f) {
  float sum[L::M][2 * L::kN][4] = {};
  const Factor<P, Order::by_row, true> a{a_ + warp_row() * L::kWide, L::kWide, args_.floor_a};
  const Factor<P, Order::by_depth> S{state_ + column_warp() * 16 * L::kN, L::kWaves};
  if (started_) add_product<X>(sum, a, S);
#pragma unroll
  for (int m = 0; m < L::M; ++m) {
#pragma unroll
    for (int n = 0; n < L::kN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int r = warp_row() + fragment_row(m, i);
        const float up = kNarrow<T> ? state_scale_.up : 1.0F;
        out_[m][n][i] = f.reader_cos[r] * up * sum[m][n][i];
        if (args_.N == 2) out_[m][n][i] = fused(f.reader_sin[r] * up, sum[m][L::kN + n][i], out_[m][n][i]);
      }
    }
  }
}

/// The weights inside the chunk, and the sums of their rows. Returns whether this thread saw one that
/// overflows. Then, once more, `scaled`: each row by itself, so that no reader depends on what it does not
/// see.
template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE bool Scan<T, kX, kPart, P>::put_pairs(const Factors& f, bool scaled) {
  bool overflow = false;
  float sum[L::M][L::kPairsN][4] = {};
  const int column = column_warp() * 8 * L::kPairsN;
  const Factor<P, Order::by_row, true> a{a_ + warp_row() * L::kWide, L::kWide, args_.floor_a};
  add_product<X>(sum, a,
                 Factor<P, Order::by_row, true>{b_tile_ + column * L::kWide, L::kWide, args_.floor_b});
#pragma unroll
  for (int m = 0; m < L::M; ++m) {
#pragma unroll
    for (int half = 0; half < 4; half += 2) {
      const int r = warp_row() + fragment_row(m, half);
      Scale scale;
      if (kNarrow<T> && scaled) scale = row_scale(r);
      float row_sum = 0;
#pragma unroll
      for (int n = 0; n < L::kPairsN; ++n) {
        float pair[2];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int s = column + fragment_column(n, i);
          const float weight = (sum[m][n][half + i] + f.reader_add[r] + f.source_add[s]) *
                               own_.table[C + r - s] * f.source_scale[s];
          pair[i] = sees(r, s) ? weight : 0.0F;
          row_sum += pair[i];
        }
        put_pair(pairs_ + r * L::kPairs + column + fragment_column(n, 0), pair[0], pair[1], scale);
      }
      if constexpr (kNarrow<T>) {
        overflow = overflow || scale.overflows();
        scale.see_row();
        if (lane() % 4 == 0) row_largest(r)[column_warp()] = scale.largest;
      }
      if (args_.along != Along::b) continue;
      row_sum += of_lane_xor(row_sum, 1);
      row_sum += of_lane_xor(row_sum, 2);
      if (lane() % 4 == 0) row_sums_[column_warp() * C + r] = row_sum;
    }
  }
  return overflow;
}

/// Of a row whose largest weights are known.
template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE Scale Scan<T, kX, kPart, P>::row_scale(int r) const {
  Scale scale;
  for (int w = 0; w < L::kColumnWarps; ++w) scale.largest = at_least(scale.largest, row_largest(r)[w]);
  scale.fit();
  return scale;
}

template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::scale_rows(float Scale::*by) {
#pragma unroll
  for (int m = 0; m < L::M; ++m) {
    const int r = warp_row() + fragment_row(m, 0);
    const Scale scales[2] = {row_scale(r), row_scale(r + 8)};
#pragma unroll
    for (int n = 0; n < L::kN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) out_[m][n][i] *= scales[i / 2].*by;
    }
  }
}

template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::add_values(float (&out)[L::M][L::kN][4]) const {
  const Factor<P, Order::by_row> pairs{pairs_ + warp_row() * L::kPairs, L::kPairs};
  add_product<C>(out, pairs,
                 Factor<P, Order::by_depth, true>{c_ + column_warp() * 8 * L::kN, L::kNarrow, args_.floor_c});
}

/// The same where a row of c is not finite, which 0 times a weight must not carry to readers that do not see
/// it: readers up to the next such row at a time, with the rows that they do not see set to 0.
template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::add_values_apart() {
  int end = args_.reverse ? -1 : C;  // of the readers done, and of the rows set to 0
  for (int k = 0; k < C; ++k) {
    const int j = args_.reverse ? k : C - 1 - k;
    bool bad = false;
    for (int y = thread(); y < Y; y += kThreads) {
      bad = bad || !finite_factor<P>(at_least(widen(c_[j * L::kNarrow + y]), args_.floor_c));
    }
    if (!any(bad) && k != C - 1) continue;
    float out[L::M][L::kN][4];
#pragma unroll
    for (int m = 0; m < L::M; ++m) {
#pragma unroll
      for (int n = 0; n < L::kN; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) out[m][n][i] = out_[m][n][i];
      }
    }
    add_values(out);
#pragma unroll
    for (int m = 0; m < L::M; ++m) {
#pragma unroll
      for (int n = 0; n < L::kN; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int r = warp_row() + fragment_row(m, i);
          const bool now = args_.reverse ? r > end && r <= j : r < end && r >= j;
          if (now) out_[m][n][i] = out[m][n][i];
        }
      }
    }
    sync();
    for (int v = thread(); v < C * Y; v += kThreads) {
      const int r = v / Y;
      if (args_.reverse ? r <= j : r >= j) c_[r * L::kNarrow + v % Y] = T{};
    }
    sync();
    end = j;
  }
}

/// Rows of weights summed: those of the chunk, and a z.
template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::find_denominators(const Factors& f) {
  constexpr int kParts = kThreads / C;
  const int r = thread() / kParts, part = thread() % kParts;
  float sums[2] = {};
  for (int x = part; started_ && x < X; x += kParts) {
    const float feature = at_least(widen(a_[r * L::kWide + x]), args_.floor_a);
    sums[0] = fused(feature, own_.vector[0][x], sums[0]);
    if (args_.N == 2) sums[1] = fused(feature, own_.vector[1][x], sums[1]);
  }
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    for (int step = 1; step < kParts; step *= 2) sums[n] += of_lane_xor(sums[n], step);
  }
  if (part != 0) return;
  float sum = fused(f.reader_sin[r], sums[1], f.reader_cos[r] * sums[0]);
  for (int w = 0; kSums && w < L::kColumnWarps; ++w) sum += row_sums_[w * C + r];
  scales_[r] = args_.divide ? 1.0F / (sum < args_.eps ? args_.eps : sum) : 1.0F;
  if (!args_.denominator || column_ != 0 || r >= valid_) return;
  const int64_t at = place(args_.tokens, b_, row(args_.tokens, b_, first_ + r));
  args_.denominator[at * args_.reader_heads + head_] = sum;
}

/// The chunk's outputs, into waves_.
template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::put_rows(const Factors& f) {
#pragma unroll
  for (int m = 0; m < L::M; ++m) {
#pragma unroll
    for (int half = 0; half < 4; half += 2) {
      const int r = warp_row() + fragment_row(m, half);
      float scale = f.reader_scale[r];
      if (args_.along == Along::b) scale *= scales_[r];
      const float share = args_.reader_add ? f.reader_add[r] : 1.0F;
#pragma unroll
      for (int n = 0; n < L::kN; ++n) {
        const int y = column_warp() * 8 * L::kN + fragment_column(n, 0);
        float pair[2];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float sum = out_[m][n][half + i];
          if (args_.along == Along::c && started_) {
            float z = f.reader_cos[r] * own_.vector[0][y + i];
            if (args_.N == 2) z = fused(f.reader_sin[r], own_.vector[1][y + i], z);
            sum = fused(share, z, sum);
          }
          pair[i] = sum * scale;
        }
        put_pair(waves_ + r * L::kWaves + y, pair[0], pair[1]);
      }
    }
  }
}

}  // namespace cosformer::cuda
