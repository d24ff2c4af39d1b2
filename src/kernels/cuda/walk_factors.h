#pragma once

#include "kernels/cuda/walk.h"

// Numbers of a chunk's tokens: cosines, decay, and what a pass multiplies or adds.

namespace cosformer::cuda {

template <class Derived, class L, Part kPart>
COSFORMER_DEVICE Factors Walk<Derived, L, kPart>::factors(int stage) const {
  auto* f = reinterpret_cast<float*>(stage_rows(stage + 1)) - Factors::kArrays * C;
  return {f, f + C, f + 2 * C, f + 3 * C, f + 4 * C, f + 5 * C, f + 6 * C, f + 7 * C};
}

/// Works out the angles of a window's chunks, which may be read after the next barrier.
template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::put_bases(int window) {
  const int k = thread();
  if (k >= Own::kWindow || window < 0) return;
  const int64_t first = int64_t{window * Own::kWindow + k} * C;
  own_.bases[window % 2][k] = angle(first_position_ + first);
}

/// Begins to bring a chunk's rows and the numbers of its tokens.
template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::begin_fetch(const Item& item) {
  const int first = item.chunk * C, valid = count_ - first < C ? count_ - first : C,
            source = source_head_ + item.source;
  derived().fetch_rows(item, valid);
  if (item.chunk % Own::kWindow == Own::kWindow / 2) {  // nobody reads those of the window before any more
    put_bases(item.chunk / Own::kWindow + (args_.reverse ? -1 : 1));
  }
  if (thread() >= valid) return;
  const int64_t at = place(args_.tokens, b_, row(args_.tokens, b_, first + thread()));
  const int64_t of_reader = at * args_.reader_heads + head_, of_source = at * args_.source_heads + source;
  if (kReads && args_.reader_scale) scale_ = args_.reader_scale[of_reader];
  if (kReads && args_.reader_add) add_ = args_.reader_add[of_reader];
  if (kSums && args_.source_scale) scale_ = args_.source_scale[of_source];
  if (kSums && args_.source_add) add_ = args_.source_add[of_source];
}

/// Puts the numbers of the chunk's tokens where the others find them after the next barrier.
template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::end_fetch(const Item& item) {
  const Factors f = factors(item.stage);
  const int r = thread(), i = item.chunk * C + r;
  if (r >= C) return;
  if (i >= count_) {  // no token: reads nothing, adds nothing
    f.reader_cos[r] = f.reader_sin[r] = f.reader_scale[r] = f.reader_add[r] = 0;
    f.source_cos[r] = f.source_sin[r] = f.source_scale[r] = f.source_add[r] = 0;
    return;
  }
  const Angle base = own_.bases[item.chunk / Own::kWindow % 2][item.chunk % Own::kWindow],
              offset = own_.offsets[r];
  float cosine = static_cast<float>(base.cosine * offset.cosine - base.sine * offset.sine);
  float sine = static_cast<float>(base.sine * offset.cosine + base.cosine * offset.sine);
  const int64_t position = first_position_ + i;
  const bool bad = position < 0 || (args_.horizon > 0 && position >= args_.horizon);
  if (bad) cosine = sine = __builtin_nanf("");
  const int left = count_ - i, in_chunk = left < C - r ? left : C - r;  // tokens from this one on
  const float since = kSums ? own_.fades[r] : fading(r), until = kSums ? own_.fades[in_chunk] : fading(left);
  const float source_scale = kSums && args_.source_scale ? scale_ : 1.0F;
  f.reader_cos[r] = cosine * (args_.reverse ? until : since);
  f.reader_sin[r] = sine * (args_.reverse ? until : since);
  f.reader_scale[r] = bad ? cosine : kReads && args_.reader_scale ? scale_ : 1.0F;
  f.reader_add[r] = kReads && args_.reader_add ? add_ : 0.0F;
  f.source_cos[r] = cosine * (args_.reverse ? since : until) * source_scale;
  f.source_sin[r] = sine * (args_.reverse ? since : until) * source_scale;
  f.source_scale[r] = source_scale;
  f.source_add[r] = kSums && args_.source_add ? add_ : 0.0F;
}

}  // namespace cosformer::cuda
