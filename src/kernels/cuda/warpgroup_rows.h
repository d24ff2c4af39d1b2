#pragma once

#include "kernels/cuda/warpgroup_scan.h"

// What the readers of a chunk get: from the state, and from the sources inside the chunk.

namespace cosformer::cuda {

/// A chunk of a read; `first`: part_ is not there yet.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::read_chunk(bool first, const Factors& f) {
  for (int x = 0; first && x < X / 8; ++x) {
    const int column = x / 8 * 64 + thread() % 8 * 8 + x % 8;
    for (int n = 0; n < 2; ++n) part_[n][x] = own_.vector[n][column];
  }
  put_features(f);
  publish();
  sync();
  float read[2 * kOutN][4];
  begin_products();
  begin_read(read);
  end_products();
  wait_for_products<0>();
  join_waves(read, f);
  put_rows(f);
  sync();
  store_rows();
}

/// Rows a above their floor, as the factor that both pairs and the state are multiplied by.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::load_features(uint32_t (&features)[X / 16][4]) const {
  const bool floored = finite(args_.floor_a);
#pragma unroll
  for (int x = 0; x < X; x += 16) {
    load_matrices<false>(features[x / 16],
                         wide_at(a_rows_, row(0) - lane() / 4 + lane() % 16, x + lane() / 16 * 8));
    if (floored) raise(features[x / 16], args_.floor_a);
  }
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::begin_pairs(const uint32_t (&features)[X / 16][4],
                                                               float (&pairs)[kPairsN][4]) {
  const uint64_t b = panel_at<Panel::wide>(b_rows_);
#pragma unroll
  for (int x = 0; x < X; x += 16) {
    warpgroup_multiply<false>(pairs, features[x / 16], b + along_rows(x), x > 0, T{});
  }
}

/// a S of both waves of this warpgroup's columns.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::begin_read(const uint32_t (&features)[X / 16][4],
                                                              float (&read)[2 * kOutN][4]) {
  const uint64_t S = panel_at<Panel::wide>(state_ + warpgroup() * (X * 128));
#pragma unroll
  for (int x = 0; x < X; x += 16) {
    warpgroup_multiply<true>(read, features[x / 16], S + x * 128 / 16, x > 0, T{});
  }
}

/// The same, of rows a in the block's memory.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::begin_read(float (&read)[2 * kOutN][4]) {
  const uint64_t a = panel_at<Panel::wide>(a_rows_),
                 S = panel_at<Panel::wide>(state_ + warpgroup() * (X * 128));
#pragma unroll
  for (int x = 0; x < X; x += 16) {
    warpgroup_multiply<false, true>(read, a + along_rows(x), S + x * 128 / 16, x > 0, T{});
  }
}

/// out = read, each wave times the reader's
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::join_waves(const float (&read)[2 * kOutN][4],
                                                              const Factors& f) {
  const float up = kNarrow<T> ? state_scale_.up : 1.0F;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float cosine = f.reader_cos[row(i)] * up, sine = f.reader_sin[row(i)] * up;
#pragma unroll
    for (int n = 0; n < kOutN; ++n) {
      out_[n][i] = cosine * read[n][i];
      if (args_.N == 2) out_[n][i] = fused(sine, read[kOutN + n][i], out_[n][i]);
    }
  }
}

/// out += weights c
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::begin_values(const uint32_t (&weights)[4][4],
                                                                float (&out)[kOutN][4]) {
  const uint64_t c = panel_at<Panel::narrow>(c_rows_ + warpgroup() * L::kHalfPanel);
#pragma unroll
  for (int k = 0; k < C; k += 16) {
    warpgroup_multiply<true>(out, weights[k / 16], c + k * 64 / 16, T{});
  }
}

/// Products a . b as weights, rounded to T in the order of a factor, and the sums of their rows. Rows that
/// are no tokens are 0, so that it does not matter whether they are seen.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::weigh(float (&pairs)[kPairsN][4], const Factors& f,
                                                         uint32_t (&weights)[4][4]) {
  const float* table = own_.table + (C + row(0) - fragment_column(0, 0));
  const auto fill = [&](auto has_source_terms) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float reader_term = f.reader_add[row(2 * half)];
      float sum = 0;
#pragma unroll
      for (int n = 0; n < kPairsN; ++n) {
        float pair[2];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float weight = table[8 * half - 8 * n - i];
          const bool seen = !(weight < 0);
          float product = pairs[n][2 * half + i];
          if constexpr (decltype(has_source_terms)::value) {
            const int s = fragment_column(n, i);
            product += f.source_add[s];
            weight *= f.source_scale[s];
          } else {
            product += reader_term;
          }
          pair[i] = seen ? product * weight : 0.0F;
          sum += pair[i];
          if constexpr (kNarrow<T>) pairs[n][2 * half + i] = pair[i];
        }
        weights[n / 2][n % 2 * 2 + half] = narrow_pair(pair[0], pair[1], T{});
      }
      if constexpr (kNarrow<T>) fit_row(pairs, half, weights);
      row_sums_[half] = sum;
    }
  };
  // A pass has terms of its readers or of its sources.
  if (args_.source_scale) {
    fill(std::true_type{});
  } else {
    fill(std::false_type{});
  }
}

/// Weights of a row, which four lanes have, scaled by themselves, so that no reader depends on what it does
/// not see. Without a condition, since products run.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::fit_row(const float (&pairs)[kPairsN][4], int half,
                                                           uint32_t (&weights)[4][4]) {
  Scale& scale = row_scales_[half] = {};
#pragma unroll
  for (int n = 0; n < kPairsN; ++n) {
    for (int i = 0; i < 2; ++i) scale.see(pairs[n][2 * half + i], T{});
  }
  scale.see_row();
  scale.fit();
#pragma unroll
  for (int n = 0; n < kPairsN; ++n) {
    weights[n / 2][n % 2 * 2 + half] = narrow_pair(pairs[n][2 * half], pairs[n][2 * half + 1], scale, T{});
  }
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::scale_rows(float Scale::*by) {
#pragma unroll
  for (int n = 0; n < kOutN; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) out_[n][i] *= row_scales_[i / 2].*by;
  }
}

/// As begin_values(), where a row of c is not finite, which 0 times a weight must not carry to readers that
/// do not see it: readers up to the next such row at a time, with the rows that they do not see set to 0.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::add_values_apart(const uint32_t (&weights)[4][4]) {
  int end = args_.reverse ? -1 : C;  // of the readers done, and of the rows set to 0
  for (int k = 0; k < C; ++k) {
    const int j = args_.reverse ? k : C - 1 - k;
    bool bad = false;
    for (int y = thread(); y < Y; y += kThreads) bad = bad || !finite(widen(*value_at(c_rows_, j, y)));
    if (!any(bad) && k != C - 1) continue;
    float out[kOutN][4];
#pragma unroll
    for (int n = 0; n < kOutN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) out[n][i] = out_[n][i];
    }
    begin_products();
    begin_values(weights, out);
    end_products();
    wait_for_products<0>();
#pragma unroll
    for (int n = 0; n < kOutN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const bool now = args_.reverse ? row(i) > end && row(i) <= j : row(i) < end && row(i) >= j;
        if (now) out_[n][i] = out[n][i];
      }
    }
    sync();
    for (int v = thread(); v < C * Y; v += kThreads) {
      const int r = v / Y;
      if (args_.reverse ? r <= j : r >= j) *value_at(c_rows_, r, v % Y) = T{};
    }
    publish();
    sync();
    end = j;
  }
}

/// The chunk's outputs, divided, 0 where their gates are not above 0.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::put_rows(const Factors& f) {
  uint32_t outputs[kOutN][2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int r = row(2 * half);
    float scale = f.reader_scale[r];
    if (args_.along == Along::b) {
      const float sum = L::kSplitsVector ? row_sums_[half] : sums_[r] + row_sums_[half];
      if (args_.divide) scale *= 1.0F / (sum < args_.eps ? args_.eps : sum);
      if (args_.denominator && column_ == 0 && warpgroup() == 0 && lane() % 4 == 0 && r < valid_) {
        const int64_t at = place(args_.tokens, b_, cuda::row(args_.tokens, b_, first_ + r));
        args_.denominator[at * args_.reader_heads + head_] = sum;
      }
    }
    if (args_.along == Along::c && started_) add_vector(f, half);
#pragma unroll
    for (int n = 0; n < kOutN; ++n) {
      outputs[n][half] = narrow_pair(out_[n][2 * half] * scale, out_[n][2 * half + 1] * scale, T{});
    }
  }
  if (args_.gate.data) close_gates(outputs);
#pragma unroll
  for (int n = 0; n < kOutN; n += 2) {
    const int r = row(0) - lane() / 4 + lane() % 16, y = warpgroup() * 32 + n * 8 + lane() / 16 * 8;
    store_matrices(wide_at(out_rows_, r, y), outputs[n][0], outputs[n][1], outputs[n + 1][0],
                   outputs[n + 1][1]);
  }
}

/// Outputs whose gates are not above 0 become 0. A read's gates lie where its outputs leave from, those of
/// one lane where others write.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::close_gates(uint32_t (&outputs)[kOutN][2]) {
#pragma unroll
  for (int n = 0; n < kOutN; ++n) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int y = warpgroup() * 32 + fragment_column(n, 0);
      const uint32_t gates = *reinterpret_cast<const uint32_t*>(wide_at(gate_rows_, row(2 * half), y));
      if (half_of<T>(gates, 0) <= 0) outputs[n][half] &= 0xFFFF0000;
      if (half_of<T>(gates, 1) <= 0) outputs[n][half] &= 0x0000FFFF;
    }
  }
  warp_sync();
}

}  // namespace cosformer::cuda
