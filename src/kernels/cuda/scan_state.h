#pragma once

#include "kernels/cuda/scan.h"

// The state as a factor, and what a chunk adds to it.

namespace cosformer::cuda {

/// The state before the chunk as a factor.
template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::put_state(float faded) {
  if (wave() < args_.N) {
#pragma unroll
    for (int m = 0; m < L::kStateM; ++m) {
#pragma unroll
      for (int n = 0; n < L::kStateN; ++n) {
#pragma unroll
        for (int i = 0; i < 4; i += 2) {
          T* to = state_ + state_x(m, n, i) * L::kWaves + state_column(wave(), fragment_column(n, i));
          put_pair(to, fused(before(m, n, i), faded, local_[m][n][i]),
                   fused(before(m, n, i + 1), faded, local_[m][n][i + 1]), state_scale_);
        }
      }
    }
  }
}

/// Rows c times their cosine and sine. Returns whether this thread saw a number that is not finite.
template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE bool Scan<T, kX, kPart, P>::put_waves(const Factors& f) {
  bool good = true;
  for (int v = thread(); v < C * Y / 2; v += kThreads) {
    const int r = v / (Y / 2), y = v % (Y / 2) * 2;
    const float first = at_least(widen(c_[r * L::kNarrow + y]), args_.floor_c);
    const float second = at_least(widen(c_[r * L::kNarrow + y + 1]), args_.floor_c);
    good = good && finite_factor<P>(first) && finite_factor<P>(second);
    put_pair(waves_ + r * L::kWaves + y, first * f.source_cos[r], second * f.source_cos[r], waves_scale_);
    if (args_.N == 2)
      put_pair(waves_ + r * L::kWaves + Y + y, first * f.source_sin[r], second * f.source_sin[r],
               waves_scale_);
  }
  return !good;
}

/// State and waves anew, as small as they have to be.
template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::fit_factors(const Chunk& chunk, const Factors& f) {
  if (kReads && state_scale_.fit_block()) put_state(chunk.faded);
  if (kSums && waves_scale_.fit_block()) put_waves(f);
}

/// local = fade local + b^T waves
template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::add_state(float fade) {
  if (wave() >= args_.N) return;
  const float kept = kNarrow<T> ? fade * waves_scale_.down : fade;
  if (this->decay_ != 0 || (kNarrow<T> && kept != 1)) this->fade_local(kept);
  const Factor<P, Order::by_depth, true> b{b_tile_ + thread() / 64 * (X / 4), L::kWide, args_.floor_b};
  add_product<C>(local_, b, Factor<P, Order::by_depth>{waves_ + wave() * Y, L::kWaves});
  if (kNarrow<T> && waves_scale_.up != 1) this->fade_local(waves_scale_.up);
}

}  // namespace cosformer::cuda
