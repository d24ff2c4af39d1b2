#pragma once

#include "kernels/cuda/scan.h"

// What a chunk needs: its rows, and numbers of its tokens.

namespace cosformer::cuda {

template <class T, int kX, Part kPart>
COSFORMER_DEVICE Scan<T, kX, kPart>::Scan(const Args& args) : args_(args), memory_(block_memory()) {
  int64_t index = block();
  column_ = static_cast<int>(index % args.slices) * Y;
  index /= args.slices;
  head_ = static_cast<int>(index % args.reader_heads);
  index /= args.reader_heads;
  const int64_t groups = (args.segments + args.segments_a_block - 1) / args.segments_a_block;
  first_segment_ = index % groups * args.segments_a_block;
  b_ = index / groups;
  count_ = count(args.tokens, b_);
  first_position_ = args.position ? args.position[b_] : 0;
  const int state_head = head_ / args.readers_a_source;
  decay_ = args.decay ? args.decay[state_head] : 0;
  index_ = b_ * (args.reader_heads / args.readers_a_source) + state_head;

  char* rest = memory_ + L::kStages * L::kStageBytes;
  state_ = reinterpret_cast<T*>(rest);
  pairs_ = state_ + X * L::kWaves;
  waves_ = pairs_ + C * L::kPairs;
  table_ = reinterpret_cast<float*>(waves_ + C * L::kWaves);
  vector_ = table_ + C;
  row_sums_ = vector_ + 2 * X;
  scales_ = row_sums_ + L::kColumnWarps * C;
  for (int d = thread(); kReads && kSums && d < C; d += kThreads) {
    float cosine = 1, sine = 0;
    if (args.horizon > 0)
      cos_sin_of_pi(static_cast<double>(d) / (2.0 * static_cast<double>(args.horizon)), cosine, sine);
    table_[d] = cosine * fading(d);
  }
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE Factors Scan<T, kX, kPart>::factors(int stage) const {
  auto* f = reinterpret_cast<float*>(memory_ + (stage + 1) * L::kStageBytes) - L::kFactors * C;
  return {f, f + C, f + 2 * C, f + 3 * C, f + 4 * C, f + 5 * C, f + 6 * C, f + 7 * C};
}

/// Begins to bring a chunk's rows and the numbers of its tokens.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void Scan<T, kX, kPart>::fetch(int64_t chunk, int source, int stage) {
  auto* a = reinterpret_cast<T*>(memory_ + stage * L::kStageBytes);
  T* b = a + C * L::kWide;
  T* c = b + C * L::kWide;
  const int64_t first = chunk * C;
  const int valid = static_cast<int>(count_ - first < C ? count_ - first : C);
  const int source_head = head_ / args_.readers_a_source * args_.sources_a_reader + source;
  if (kReads) load_tile<C, X, L::kWide>(a, args_.a, args_.tokens, b_, head_, first, valid, 0);
  if (kSums) {
    load_tile<C, X, L::kWide>(b, args_.b, args_.tokens, b_, source_head, first, valid, 0);
    load_tile<C, Y, L::kNarrow>(c, args_.c, args_.tokens, b_, source_head, first, valid, column_);
  }
  fetch_factors(first, source_head, stage);
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void Scan<T, kX, kPart>::fetch_factors(int64_t first, int source_head, int stage) {
  const Factors f = factors(stage);
  const int r = thread();
  if (r >= C) return;
  const int64_t i = first + r, end = kPart == Part::read || first + C > count_ ? count_ : first + C;
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
  const float scale = args_.source_scale ? args_.source_scale[source] : 1.0F;
  f.reader_cos[r] = cosine * (args_.reverse ? until : since);
  f.reader_sin[r] = sine * (args_.reverse ? until : since);
  f.reader_scale[r] = bad ? cosine : args_.reader_scale ? args_.reader_scale[reader] : 1.0F;
  f.reader_add[r] = args_.reader_add ? args_.reader_add[reader] : 0.0F;
  f.source_cos[r] = cosine * (args_.reverse ? since : until) * scale;
  f.source_sin[r] = sine * (args_.reverse ? since : until) * scale;
  f.source_scale[r] = scale;
  f.source_add[r] = args_.source_add ? args_.source_add[source] : 0.0F;
}

}  // namespace cosformer::cuda
