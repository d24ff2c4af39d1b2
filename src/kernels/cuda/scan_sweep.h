#pragma once

#include "kernels/cuda/scan_fetch.h"
#include "kernels/cuda/scan_rows.h"
#include "kernels/cuda/scan_state.h"

namespace cosformer::cuda {

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void Scan<T, kX, kPart>::sweep() {
  const int64_t begin = first_segment_ * args_.segment;
  int64_t end = begin + args_.segments_a_block * args_.segment;
  end = end < count_ ? end : count_;
  const bool whole = args_.segments_a_block >= args_.segments;
  const int64_t chunks = end > begin ? (end - begin + C - 1) / C : 0;
  const bool wants_last = kPart == Part::sweep && whole && (args_.last.S || args_.last.z);
  if (chunks == 0 && !wants_last) return;

  clear_local();
  if (args_.prefix.S && kPart == Part::sweep) {
    load_state(args_.prefix, index_ * args_.segments + first_segment_);
    started_ = true;
  } else {
    load_state(kPart == Part::sum ? States{} : args_.initial, index_);
    started_ = kPart != Part::sum && args_.initial.S;
  }
  if constexpr (kPart == Part::read) put_state(1);

  const int64_t items = chunks * (kSums ? args_.sources_a_reader : 1);
  const auto chunk_of = [&](int64_t item) {
    const int64_t k = kSums ? item / args_.sources_a_reader : item;
    return begin / C + (args_.reverse ? chunks - 1 - k : k);
  };
  const auto source_of = [&](int64_t item) {
    return kSums ? static_cast<int>(item % args_.sources_a_reader) : 0;
  };
  if (items > 0) fetch(chunk_of(0), 0, 0);
  for (int64_t item = 0; item < items; ++item) {
    const int stage = static_cast<int>(item % L::kStages), source = source_of(item);
    const bool first_source = source == 0, last_source = !kSums || source == args_.sources_a_reader - 1;
    wait_for_copies();
    sync();
    if (L::kStages == 2 && item + 1 < items) fetch(chunk_of(item + 1), source_of(item + 1), 1 - stage);
    a_ = reinterpret_cast<T*>(memory_ + stage * L::kStageBytes);
    b_tile_ = a_ + C * L::kWide;
    c_ = b_tile_ + C * L::kWide;
    first_ = chunk_of(item) * C;
    valid_ = static_cast<int>(count_ - first_ < C ? count_ - first_ : C);
    const Factors f = factors(stage);

    const int64_t segment_begin = first_ / args_.segment * args_.segment;
    const int64_t segment_end =
        segment_begin + args_.segment < count_ ? segment_begin + args_.segment : count_;
    bool bad = false;
    if constexpr (kSums) {
      const float fade = first_source ? fading(valid_) : 1.0F;
      if (kReads && first_source && started_) {
        put_state(fading(args_.reverse ? segment_end - first_ - valid_ : first_ - segment_begin));
      }
      bad = put_waves(f);
      add_along(f, fade);
      bad = any(bad);
    }
    if constexpr (kReads) {
      if (first_source && started_) {
        read_state(f);
      } else if (first_source) {
#pragma unroll
        for (int m = 0; m < L::M; ++m) {
#pragma unroll
          for (int n = 0; n < L::kN; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) out_[m][n][i] = 0;
          }
        }
      }
    }
    if constexpr (kReads && kSums) {
      put_pairs(f);
      sync();
      if (!bad) add_values(out_);
    }
    if constexpr (kSums) {
      const bool later = !last_source || item + 1 < items || kPart == Part::sum || wants_last;
      if (later) add_state(first_source ? fading(valid_) : 1.0F);
    }
    if constexpr (kReads && kSums) {
      if (bad) add_values_apart();
    }
    if (kReads && last_source) {
      if (args_.along == Along::b) find_denominators(f);
      sync();
      put_rows(f);
      sync();
      store_tile<Y>(waves_, L::kWaves, args_.out, args_.gate, args_.tokens, b_, head_, first_, valid_,
                    column_);
    }
    if (kSums && last_source) {
      started_ = true;
      const bool ends = args_.reverse ? first_ == segment_begin : first_ + valid_ == segment_end;
      if (kPart == Part::sweep && ends) end_segment(fading(segment_end - segment_begin));
    }
    if (L::kStages == 1 && item + 1 < items) {
      sync();
      fetch(chunk_of(item + 1), source_of(item + 1), 0);
    }
  }
  if (kPart == Part::sum) store_state(args_.prefix, index_ * args_.segments + first_segment_);
  if (wants_last && head_ % args_.readers_a_source == 0) store_state(args_.last, index_);
}

}  // namespace cosformer::cuda
