#pragma once

#include "kernels/cuda/scan_args.h"

namespace cosformer::cuda {

/// Numbers of a chunk's tokens, [C] each.
struct Factors {
  static constexpr int kArrays = 8;
  float *reader_cos, *reader_sin, *reader_scale, *reader_add;
  float *source_cos, *source_sin, *source_scale, *source_add;
};

/// A block's way through its chunks, whatever multiplies the tiles: which head, columns, segments and chunks
/// are its own, the numbers of tokens, and the state between chunks.
///
/// Layout says how large tiles are and how many a block holds; Derived has
///   fetch_rows(first, valid, source_head, stage)   begins to bring the rows a, b, c of a chunk
///   hand_over()                                    before the barrier after which others may come there
///   arrive(stage)                                  waits for the rows of the chunk at hand and names them
///   put_state(faded)                               makes the state a factor: of a read here, once
///   compute(Chunk, Factors)                        one chunk
///   state_x(m, n, i), state_y(n, i), state_wave(m) which number of the state local_[m][n][i] is
///   b_at(r, x), c_at(r, y)                         elements of the chunk at hand
template <class Derived, class kLayout, Part kPart>
class Walk {
 public:
  using L = kLayout;
  using T = typename L::T;
  using Args = ScanArgs<T>;
  static constexpr int kBytes = L::kBytes;

  template <class DerivedArgs>
  COSFORMER_DEVICE static void run(const DerivedArgs& args) {
    Derived walk(args);
    walk.go();
  }

 protected:
  static constexpr int X = L::X, Y = L::Y, C = L::C;
  static constexpr bool kReads = kPart != Part::sum, kSums = kPart != Part::read;

  /// What is to be done with the chunk at hand and one of its sources.
  struct Chunk {
    bool first_source, last_source;
    bool adds;       ///< the state is needed afterwards
    bool new_state;  ///< the state is not that of the chunk before
    float faded;     ///< what whole segments' sum has faded to before the chunk
    float fade;      ///< what the segment's own sum fades by
  };

  COSFORMER_DEVICE explicit Walk(const Args& args);
  COSFORMER_DEVICE void go();

  COSFORMER_DEVICE Factors factors(int stage) const;
  COSFORMER_DEVICE void fetch(int64_t chunk, int source, int stage);
  COSFORMER_DEVICE void fetch_factors(int64_t first, int source_head, int stage);

  COSFORMER_DEVICE void load_state(const States& from, int64_t index);
  COSFORMER_DEVICE void store_state(const States& to, int64_t index) const;
  COSFORMER_DEVICE void clear_local();
  COSFORMER_DEVICE void fade_local(float fade);
  COSFORMER_DEVICE void end_segment(float faded);
  COSFORMER_DEVICE void put_vector(float faded);
  COSFORMER_DEVICE void add_along(const Factors& f, float fade);

  COSFORMER_DEVICE Derived& derived() { return static_cast<Derived&>(*this); }
  COSFORMER_DEVICE const Derived& derived() const { return static_cast<const Derived&>(*this); }
  /// Whether a reader sees a source of its own chunk.
  COSFORMER_DEVICE bool sees(int reader, int source) const {
    return (args_.reverse ? source >= reader : source <= reader) && source < valid_;
  }
  COSFORMER_DEVICE float fading(int64_t tokens) const {
    return decay_ == 0 ? 1.0F : exponential(-static_cast<double>(decay_) * static_cast<double>(tokens));
  }
  COSFORMER_DEVICE char* stage_rows(int stage) const { return memory_ + stage * L::kStageBytes; }
  // A vector's elements have some neighbouring lanes each.
  COSFORMER_DEVICE int along_parts() const { return kThreads / (args_.along == Along::b ? X : Y); }
  COSFORMER_DEVICE int along_element() const { return thread() / along_parts(); }
  COSFORMER_DEVICE int along_part() const { return thread() % along_parts(); }

  const Args& args_;
  int64_t b_ = 0, count_ = 0, first_position_ = 0, first_segment_ = 0, index_ = 0;
  int head_ = 0, column_ = 0;
  float decay_ = 0;

  char* memory_;
  float *table_, *vector_;  ///< [C], cosines by distance; [2, X]

  // The chunk at hand.
  int64_t first_ = 0;
  int valid_ = 0;

  bool started_ = false;  ///< whether the state may be other than 0
  float local_[L::kStateM][L::kStateN][4];
  float vector_local_[2], vector_before_[2];
};

template <class Derived, class L, Part kPart>
COSFORMER_DEVICE Walk<Derived, L, kPart>::Walk(const Args& args) : args_(args), memory_(block_memory()) {
  int64_t index = block();
  column_ = static_cast<int>(index % args.slices) * Y;
  index /= args.slices;
  head_ = static_cast<int>(index % args.reader_heads);
  index /= args.reader_heads;
  const int64_t groups = (args.segments + args.segments_a_block - 1) / args.segments_a_block;
  first_segment_ = index % groups * args.segments_a_block;
  if (kPart == Part::sum && args.cut && args.reverse) ++first_segment_;  // the sums of those that follow
  b_ = index / groups;
  count_ = count(args.tokens, b_);
  first_position_ = args.position ? args.position[b_] : 0;
  const int state_head = head_ / args.readers_a_source;
  decay_ = args.decay ? args.decay[state_head] : 0;
  index_ = b_ * (args.reader_heads / args.readers_a_source) + state_head;
  table_ = reinterpret_cast<float*>(memory_ + L::kStages * L::kStageBytes);
  vector_ = table_ + C;
  for (int d = thread(); kReads && kSums && d < C; d += kThreads) {
    float cosine = 1, sine = 0;
    if (args.horizon > 0) {
      cos_sin_of_pi(static_cast<double>(d) / (2.0 * static_cast<double>(args.horizon)), cosine, sine);
    }
    table_[d] = cosine * fading(d);
  }
}

/// Work O(chunks); a chunk's rows arrive while those before are computed, where there is room for several.
template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::go() {
  const int64_t begin = first_segment_ * args_.segment;
  int64_t end = begin + args_.segments_a_block * args_.segment;
  end = end < count_ ? end : count_;
  const int64_t chunks = end > begin ? (end - begin + C - 1) / C : 0;
  const bool comes_last =
      args_.reverse ? first_segment_ == 0 : end == count_ && (chunks > 0 || first_segment_ == 0);
  const bool wants_last = kPart == Part::sweep && comes_last && (args_.last.S || args_.last.z);
  if (chunks == 0 && !wants_last) return;
  if (kPart == Part::sum && args_.cut && comes_last) return;  // no segment follows

  clear_local();
  if (kPart == Part::sweep && args_.cut && (args_.reverse ? end < count_ : begin > 0)) {
    load_state(args_.parts, index_ * args_.slots + (args_.reverse ? first_segment_ : first_segment_ - 1));
    started_ = true;
  } else {
    if (kPart != Part::read) load_state(kPart == Part::sum ? States{} : args_.initial, index_);
    started_ = kPart != Part::sum && args_.initial.S;
  }

  const int sources = kSums ? args_.sources_a_reader : 1;
  const int64_t items = chunks * sources;
  const auto chunk_of = [&](int64_t item) {
    return begin / C + (args_.reverse ? chunks - 1 - item / sources : item / sources);
  };
  const auto bring = [&](int64_t item) {
    if (item >= items) return;
    fetch(chunk_of(item), static_cast<int>(item % sources), static_cast<int>(item % L::kStages));
  };
  constexpr int kAhead = L::kStages > 1 ? L::kStages - 1 : 1;
  for (int item = 0; item < kAhead; ++item) bring(item);
  if (kPart == Part::read) {  // while the first rows come
    load_state(args_.initial, index_);
    derived().put_state(1.0F);
    put_vector(1.0F);
  }
  for (int64_t item = 0; item < items; ++item) {
    const int stage = static_cast<int>(item % L::kStages), source = static_cast<int>(item % sources);
    derived().hand_over();
    sync();
    if (L::kStages > 1) bring(item + kAhead);
    derived().arrive(stage);
    first_ = chunk_of(item) * C;
    valid_ = static_cast<int>(count_ - first_ < C ? count_ - first_ : C);
    const int64_t segment_begin = first_ / args_.segment * args_.segment;
    const int64_t segment_end =
        segment_begin + args_.segment < count_ ? segment_begin + args_.segment : count_;
    const bool first_source = source == 0, last_source = source == sources - 1;
    derived().compute(Chunk{.first_source = first_source,
                            .last_source = last_source,
                            .adds = !last_source || item + 1 < items || kPart == Part::sum || wants_last,
                            .new_state = first_source && started_ && (kPart == Part::sweep || item == 0),
                            .faded = kPart == Part::read ? 1.0F
                                     : args_.reverse     ? fading(segment_end - first_ - valid_)
                                                         : fading(first_ - segment_begin),
                            .fade = first_source ? fading(valid_) : 1.0F},
                      factors(stage));
    if (kSums && last_source) {
      started_ = true;
      const bool ends = args_.reverse ? first_ == segment_begin : first_ + valid_ == segment_end;
      if (kPart == Part::sweep && ends) end_segment(fading(segment_end - segment_begin));
    }
    if (L::kStages == 1 && item + 1 < items) {
      sync();
      bring(item + 1);
    }
  }
  if (kPart == Part::sum) {
    store_state(args_.parts,
                index_ * args_.slots + (args_.cut && args_.reverse ? first_segment_ - 1 : first_segment_));
  }
  if (wants_last && head_ % args_.readers_a_source == 0) store_state(args_.last, index_);
}

}  // namespace cosformer::cuda

#include "kernels/cuda/walk_factors.h"
#include "kernels/cuda/walk_state.h"
