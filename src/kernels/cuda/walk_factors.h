#pragma once

#include "kernels/cuda/walk.h"

// Numbers of a chunk's tokens: cosines, decay, and what a pass multiplies or adds.

namespace cosformer::cuda {

template <class Derived, class L, Part kPart>
COSFORMER_DEVICE Factors Walk<Derived, L, kPart>::factors(int stage) const {
  auto* f = reinterpret_cast<float*>(stage_rows(stage + 1)) - Factors::kArrays * C;
  return {f, f + C, f + 2 * C, f + 3 * C, f + 4 * C, f + 5 * C, f + 6 * C, f + 7 * C};
}

/// Begins to bring a chunk's rows and the numbers of its tokens.
template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::fetch(const Item& item) {
  const int first = item.chunk * C;
  const int source_head = head_ / args_.readers_a_source * args_.sources_a_reader + item.source;
  derived().fetch_rows(first, count_ - first < C ? count_ - first : C, source_head, item.stage);
  fetch_factors(first, source_head, item.stage);
}

template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::fetch_factors(int first, int source_head, int stage) {
  const Factors f = factors(stage);
  const int r = thread();
  if (r >= C) return;
  const int i = first + r, end = kPart == Part::read || C > count_ - first ? count_ : first + C;
  if (i >= count_) {  // no token: reads nothing, adds nothing
    f.reader_cos[r] = f.reader_sin[r] = f.reader_scale[r] = f.reader_add[r] = 0;
    f.source_cos[r] = f.source_sin[r] = f.source_scale[r] = f.source_add[r] = 0;
    return;
  }
  const int64_t position = first_position_ + i;
  float cosine = 1, sine = 0;
  if (args_.horizon > 0) {
    cos_sin_of_pi(static_cast<double>(position) / (2.0 * static_cast<double>(args_.horizon)), cosine, sine);
  }
  const bool bad = position < 0 || (args_.horizon > 0 && position >= args_.horizon);
  if (bad) cosine = sine = __builtin_nanf("");
  const float since = fading(i - first), until = fading(end - i);
  const int64_t at = place(args_.tokens, b_, row(args_.tokens, b_, i));
  const int64_t reader = at * args_.reader_heads + head_, source = at * args_.source_heads + source_head;
  const float scale = kSums && args_.source_scale ? args_.source_scale[source] : 1.0F;
  f.reader_cos[r] = cosine * (args_.reverse ? until : since);
  f.reader_sin[r] = sine * (args_.reverse ? until : since);
  f.reader_scale[r] = bad ? cosine : kReads && args_.reader_scale ? args_.reader_scale[reader] : 1.0F;
  f.reader_add[r] = kReads && args_.reader_add ? args_.reader_add[reader] : 0.0F;
  f.source_cos[r] = cosine * (args_.reverse ? since : until) * scale;
  f.source_sin[r] = sine * (args_.reverse ? since : until) * scale;
  f.source_scale[r] = scale;
  f.source_add[r] = kSums && args_.source_add ? args_.source_add[source] : 0.0F;
}

}  // namespace cosformer::cuda
