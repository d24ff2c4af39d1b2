#pragma once

#include "kernels/cuda/walk.h"

// The state between chunks, in registers: from and to memory, over the ends of segments, and the vector
// beside it.

namespace cosformer::cuda {

template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::clear_local() {
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

template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::fade_local(float fade) {
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) local_[m][n][i] *= fade;
    }
  }
}

/// Sets the sum of earlier segments: to 0 where there is nothing to read.
template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::load_state(const States& from, int64_t index) {
  const float* S = from.S ? from.S + index * from.S_size : nullptr;
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int x = derived().state_x(m, n, i), y = column_ + derived().state_y(n, i),
                  wave = derived().state_wave(m);
        const bool there = S && wave < args_.N && x < args_.x_width && y < args_.y_width;
        derived().before(m, n, i) =
            there ? S[wave * from.S_wave + x * from.x_stride + y * from.y_stride] : 0.0F;
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
template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::store_state(const States& to, int64_t index) const {
  float* S = to.S ? to.S + index * to.S_size : nullptr;
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int x = derived().state_x(m, n, i), y = column_ + derived().state_y(n, i),
                  wave = derived().state_wave(m);
        const bool there = S && wave < args_.N && x < args_.x_width && y < args_.y_width;
        if (there)
          S[wave * to.S_wave + x * to.x_stride + y * to.y_stride] =
              kPart == Part::sum ? local_[m][n][i] : derived().before(m, n, i);
      }
    }
  }
  if (!to.z || args_.along == Along::nothing || !is_first_along()) return;
  if (args_.along == Along::b && column_ != 0) return;  // every slice has it
  const int element = along_element() + (args_.along == Along::c ? column_ : 0);
  const int width = args_.along == Along::c ? args_.y_width : args_.x_width;
  const auto& vector = kPart == Part::sum ? vector_local_ : vector_before_;
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    if (n < args_.N && element < width) to.z[index * to.z_size + n * to.z_wave + element] = vector[n];
  }
}

template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::end_segment(float faded) {
#pragma unroll
  for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
    for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        derived().before(m, n, i) = fused(derived().before(m, n, i), faded, local_[m][n][i]);
    }
  }
#pragma unroll
  for (int n = 0; n < 2; ++n) vector_before_[n] = fused(vector_before_[n], faded, vector_local_[n]);
  clear_local();
  has_before_ = true;
}

/// The vector before the chunk, for those that read it after the next barrier.
template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::put_vector(float faded) {
  if (args_.along == Along::nothing || !is_first_along()) return;
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    own_.vector[n][along_element()] = vector_before_chunk(n, faded);
  }
}

template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::add_along(const Factors& f, float fade) {
  if (args_.along == Along::b) add_rows<true>(f, fade);
  if (args_.along == Along::c) add_rows<false>(f, fade);
}

/// The chunk's rows b or c, times their factors, to the vector: pairs of columns by lanes side by side, each
/// with some of the rows, of which each half keeps a column.
template <class Derived, class L, Part kPart>
template <bool kOfB>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::add_rows(const Factors& f, float fade) {
  constexpr int kParts = 2 * (kOfB ? kLanesB : kLanesC), kAtOnce = kParts < 8 ? 8 : kParts;
  const int part = thread() % kParts, column = thread() / kParts * 2;
  float sums[2][2] = {};
  const auto add = [&](auto has_terms) {
#pragma unroll
    for (int first = 0; first < C; first += kAtOnce) {
#pragma unroll
      for (int k = 0; k < kAtOnce / kParts; ++k) {
        const int r = first + kParts * k + part;
        float pair[2], cosine = f.source_cos[r], sine = f.source_sin[r];
        if constexpr (kOfB) derived().b_pair(r, column, pair);
        if constexpr (!kOfB) derived().c_pair(r, column, pair);
        if constexpr (decltype(has_terms)::value) {
          const float term = f.source_add[r];
          cosine *= term, sine *= term;
        }
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          sums[0][i] = fused(pair[i], cosine, sums[0][i]);
          sums[1][i] = fused(pair[i], sine, sums[1][i]);
        }
      }
    }
  };
  if (args_.along_grows && args_.source_add) add(std::true_type{});
  if (args_.along_grows && !args_.source_add) add(std::false_type{});
  const bool second = part >= kParts / 2;
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    float sum =
        (second ? sums[n][1] : sums[n][0]) + of_lane_xor(second ? sums[n][0] : sums[n][1], kParts / 2);
    for (int step = 1; step < kParts / 2; step *= 2) sum += of_lane_xor(sum, step);
    vector_local_[n] = fused(vector_local_[n], fade, sum);
  }
}

}  // namespace cosformer::cuda
