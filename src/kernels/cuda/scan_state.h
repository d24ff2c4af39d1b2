#pragma once

#include "kernels/cuda/scan.h"

// The state: from and to memory, as a factor, and what a chunk adds to it.

namespace cosformer::cuda {

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void Scan<T, kX, kPart>::clear_local() {
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) local_[m][n][i] = 0;
    }
  }
  vector_local_[0] = vector_local_[1] = 0;
}

/// Sets the sum of earlier segments: to 0 where there is nothing to read.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void Scan<T, kX, kPart>::load_state(const States& from, int64_t index) {
  const float* S = from.S ? from.S + index * from.S_size + wave() * from.S_wave : nullptr;
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int x = state_row(m, i), y = column_ + fragment_column(n, i);
        const bool there = S && wave() < args_.N && x < args_.x_width && y < args_.y_width;
        before_[m][n][i] = there ? S[x * from.x_stride + y * from.y_stride] : 0.0F;
      }
    }
  }
  const int element = along_element() + (args_.along == Along::c ? column_ : 0);
  const int width = args_.along == Along::c ? args_.y_width : args_.x_width;
  const bool there = from.z && args_.along != Along::nothing && element < width;
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    vector_before_[n] = there && n < args_.N ? from.z[index * from.z_size + n * from.z_wave + element] : 0.0F;
  }
}

/// The local sums of a segment (Part::sum), else what end_segment() left.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void Scan<T, kX, kPart>::store_state(const States& to, int64_t index) const {
  const auto& numbers = kPart == Part::sum ? local_ : before_;
  float* S = to.S ? to.S + index * to.S_size + wave() * to.S_wave : nullptr;
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int x = state_row(m, i), y = column_ + fragment_column(n, i);
        const bool there = S && wave() < args_.N && x < args_.x_width && y < args_.y_width;
        if (there) S[x * to.x_stride + y * to.y_stride] = numbers[m][n][i];
      }
    }
  }
  if (!to.z || args_.along == Along::nothing || along_part() != 0) return;
  if (args_.along == Along::b && column_ != 0) return;  // every slice has it
  const int element = along_element() + (args_.along == Along::c ? column_ : 0);
  const int width = args_.along == Along::c ? args_.y_width : args_.x_width;
  const auto& vector = kPart == Part::sum ? vector_local_ : vector_before_;
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    if (n < args_.N && element < width) to.z[index * to.z_size + n * to.z_wave + element] = vector[n];
  }
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void Scan<T, kX, kPart>::end_segment(float faded) {
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) before_[m][n][i] = fused(before_[m][n][i], faded, local_[m][n][i]);
    }
  }
#pragma unroll
  for (int n = 0; n < 2; ++n) vector_before_[n] = fused(vector_before_[n], faded, vector_local_[n]);
  clear_local();
}

/// The state before the chunk as a factor, and the vector beside it.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void Scan<T, kX, kPart>::put_state(float faded) {
  if (wave() < args_.N) {
#pragma unroll
    for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
      for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
        for (int i = 0; i < 4; i += 2) {
          T* to = state_ + state_row(m, i) * L::kWaves + state_column(wave(), fragment_column(n, i));
          put_pair(to, fused(before_[m][n][i], faded, local_[m][n][i]),
                   fused(before_[m][n][i + 1], faded, local_[m][n][i + 1]));
        }
      }
    }
  }
  if (args_.along == Along::nothing || along_part() != 0) return;
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    vector_[n * X + along_element()] = fused(vector_before_[n], faded, vector_local_[n]);
  }
}

/// Rows c times their cosine and sine. Returns whether this thread saw a number that is not finite.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE bool Scan<T, kX, kPart>::put_waves(const Factors& f) {
  bool good = true;
  for (int v = thread(); v < C * Y / 2; v += kThreads) {
    const int r = v / (Y / 2), y = v % (Y / 2) * 2;
    const float first = at_least(widen(c_[r * L::kNarrow + y]), args_.floor_c);
    const float second = at_least(widen(c_[r * L::kNarrow + y + 1]), args_.floor_c);
    good = good && finite(first) && finite(second);
    put_pair(waves_ + r * L::kWaves + y, first * f.source_cos[r], second * f.source_cos[r]);
    if (args_.N == 2)
      put_pair(waves_ + r * L::kWaves + Y + y, first * f.source_sin[r], second * f.source_sin[r]);
  }
  return !good;
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void Scan<T, kX, kPart>::add_along(const Factors& f, float fade) {
  if (args_.along == Along::nothing) return;
  const bool of_b = args_.along == Along::b;
  const T* column = (of_b ? b_tile_ : c_) + along_element();
  const int stride = of_b ? L::kWide : L::kNarrow, parts = along_parts();
  const float floor = of_b ? args_.floor_b : args_.floor_c;
  float sums[2] = {};
  for (int r = along_part(); args_.along_grows && r < C; r += parts) {
    float x = at_least(widen(column[r * stride]), floor);
    if (args_.source_add) x *= f.source_add[r];
    sums[0] = fused(x, f.source_cos[r], sums[0]);
    sums[1] = fused(x, f.source_sin[r], sums[1]);
  }
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    for (int step = 1; step < parts; step *= 2) sums[n] += of_lane_xor(sums[n], step);
    vector_local_[n] = fused(vector_local_[n], fade, sums[n]);
  }
}

/// local = fade local + b^T waves
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void Scan<T, kX, kPart>::add_state(float fade) {
  if (wave() >= args_.N) return;
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) local_[m][n][i] *= fade;
    }
  }
  const Factor<T, Order::by_depth, true> b{b_tile_ + thread() / 64 * (X / 4), L::kWide, args_.floor_b};
  add_product<C>(local_, b, Factor<T, Order::by_depth>{waves_ + wave() * Y, L::kWaves});
}

}  // namespace cosformer::cuda
