#pragma once

#include "kernels/cuda/scan_args.h"

namespace cosformer::cuda {

/// Numbers of a chunk's tokens, [C] each.
struct Factors {
  static constexpr int kArrays = 8;
  float *reader_cos, *reader_sin, *reader_scale, *reader_add;
  float *source_cos, *source_sin, *source_scale, *source_add;
};

struct Angle {
  double cosine, sine;
};

/// What a walk keeps in a block's memory beside its stages.
template <int X, int C, Part kPart>
struct alignas(16) WalkMemory {
  static constexpr int kWindow = 16;  ///< chunks whose first tokens' angles are worked out at once

  Angle offsets[C];         ///< of a chunk's tokens from its first one
  Angle bases[2][kWindow];  ///< of the first tokens of chunks, of this window and the next
  float vector[2][X];       ///< what goes along with the state, before the chunk
  /// Of a source j that a reader i sees, at C + i - j: the cosine of their distance, faded. Of others: -1.
  float table[kPart == Part::sweep ? 2 * C : 1];
  float fades[kPart == Part::read ? 1 : C + 1];  ///< by tokens
};

/// A launch of walks.
template <class Walk>
struct Walks {
  using Args = Together<typename Walk::Args>;
  static constexpr int kBytes = Walk::kBytes, kBlocksAProcessor = Walk::L::kBlocksAProcessor;

  COSFORMER_DEVICE static void run(const Args& all) {
    const int64_t index = all.first_block + block();
    Walk::run(all.walks[index % all.count], index / all.count);
  }
};

/// A block's way through its chunks, whatever multiplies the tiles: which head, columns, segments and chunks
/// are its own, the numbers of tokens, and the state between chunks.
///
/// Layout says how large tiles are and how many a block holds; Derived has
///   fetch_rows(item, valid)                        begins to bring the rows a, b, c of a chunk
///   hand_over()                                    before the barrier after which others may come there
///   arrive(stage)                                  waits for the rows of the chunk at hand and names them
///   put_state(faded)                               makes the state a factor: of a read here, once
///   compute(Chunk, Factors)                        one chunk
///   end()                                          after the last
///   state_x(m, n, i), state_y(n, i), state_wave(m) which number of the state local_[m][n][i] is
///   b_pair(r, x, pair), c_pair(r, y, pair)         two neighbours of the chunk at hand, above their floor
template <class Derived, class kLayout, Part kPart>
class Walk {
 public:
  using L = kLayout;
  using T = typename L::T;
  using Args = ScanArgs<T>;
  static constexpr int kBytes = L::kBytes;

  template <class DerivedArgs>
  COSFORMER_DEVICE static void run(const DerivedArgs& args, int64_t index) {
    Derived walk(args, index);
    walk.go();
  }

 protected:
  static constexpr int X = L::X, Y = L::Y, C = L::C;
  static constexpr bool kReads = kPart != Part::sum, kSums = kPart != Part::read;
  using Own = WalkMemory<X, C, kPart>;

  /// What is to be done with the chunk at hand and one of its sources.
  struct Chunk {
    bool first_source, last_source;
    bool adds;       ///< the state is needed afterwards
    bool new_state;  ///< the state is not that of the chunk before
    float faded;     ///< what whole segments' sum has faded to before the chunk
    float fade;      ///< what the segment's own sum fades by
  };

  COSFORMER_DEVICE Walk(const ScanArgs<T>& args, int64_t index);
  COSFORMER_DEVICE void go();

  /// A chunk and one of its sources, and where its rows are.
  struct Item {
    int chunk = 0, source = 0, stage = 0;
  };
  COSFORMER_DEVICE Item after(Item item) const;

  COSFORMER_DEVICE Factors factors(int stage) const;
  COSFORMER_DEVICE void begin_fetch(const Item& item);
  COSFORMER_DEVICE void end_fetch(const Item& item);
  COSFORMER_DEVICE void put_bases(int window);

  COSFORMER_DEVICE void load_state(const States& from, int64_t index);
  COSFORMER_DEVICE void store_state(const States& to, int64_t index) const;
  COSFORMER_DEVICE void clear_local();
  COSFORMER_DEVICE void fade_local(float fade);
  COSFORMER_DEVICE void end_segment(float faded);
  COSFORMER_DEVICE void put_vector(float faded);
  COSFORMER_DEVICE float vector_before_chunk(int n, float faded) const {
    return fused(vector_before_[n], faded, vector_local_[n]);
  }
  COSFORMER_DEVICE void add_along(const Factors& f, float fade);
  template <bool kOfB>
  COSFORMER_DEVICE void add_rows(const Factors& f, float fade);

  COSFORMER_DEVICE Derived& derived() { return static_cast<Derived&>(*this); }
  COSFORMER_DEVICE const Derived& derived() const { return static_cast<const Derived&>(*this); }
  /// Whether a reader sees a source of its own chunk.
  COSFORMER_DEVICE bool sees(int reader, int source) const {
    return (args_.reverse ? source >= reader : source <= reader) && source < valid_;
  }
  COSFORMER_DEVICE float fading(int64_t tokens) const {
    return decay_ == 0 ? 1.0F : exponential(-static_cast<double>(decay_) * static_cast<double>(tokens));
  }
  COSFORMER_DEVICE Angle angle(int64_t position) const {
    Angle at{1, 0};
    if (args_.horizon > 0) {
      cos_sin_of_pi(static_cast<double>(position) / (2.0 * static_cast<double>(args_.horizon)), at.cosine,
                    at.sine);
    }
    return at;
  }
  COSFORMER_DEVICE char* stage_rows(int stage) const { return memory_ + stage * L::kStageBytes; }
  // A vector's elements have some neighbouring lanes each.
  static constexpr int kLanesB = kThreads / X, kLanesC = kThreads / Y;
  COSFORMER_DEVICE int along_element() const {
    return args_.along == Along::b ? thread() / kLanesB : thread() / kLanesC;
  }
  COSFORMER_DEVICE bool is_first_along() const {
    return (args_.along == Along::b ? thread() % kLanesB : thread() % kLanesC) == 0;
  }

  const ScanArgs<T>& args_;
  int64_t b_ = 0, first_position_ = 0, index_ = 0;
  int head_ = 0, source_head_ = 0, column_ = 0, count_ = 0, group_ = 0, first_segment_ = 0;
  float decay_ = 0;

  char* memory_;
  Own& own_;
  float scale_ = 1, add_ = 0;  ///< of this thread's token, on their way

  // The chunk at hand.
  int first_ = 0, valid_ = 0;

  bool started_ = false;     ///< whether the state may be other than 0
  bool has_before_ = false;  ///< and whole segments' sum
  float local_[L::kStateM][L::kStateN][4];
  float vector_local_[2], vector_before_[2];
};

template <class Derived, class L, Part kPart>
COSFORMER_DEVICE Walk<Derived, L, kPart>::Walk(const ScanArgs<T>& args, int64_t index)
    : args_(args),
      memory_(block_memory()),
      own_(*reinterpret_cast<Own*>(memory_ + L::kStages * L::kStageBytes)) {
  column_ = static_cast<int>(index % args.slices) * Y;
  index /= args.slices;
  head_ = static_cast<int>(index % args.reader_heads);
  index /= args.reader_heads;
  b_ = index % args.B;
  group_ = static_cast<int>(index / args.B);
  if (args.in_turn && args.reverse) group_ = static_cast<int>(args.slots) - group_;
  first_segment_ = group_ * static_cast<int>(args.segments_a_block);
  if (kPart == Part::sum && args.cut && args.reverse) ++first_segment_;  // the sums of those that follow
  count_ = static_cast<int>(count(args.tokens, b_));
  first_position_ = args.position ? args.position[b_] : 0;
  const int state_head = head_ / args.readers_a_source;
  source_head_ = state_head * args.sources_a_reader;
  decay_ = args.decay ? args.decay[state_head] : 0;
  index_ = b_ * (args.reader_heads / args.readers_a_source) + state_head;
  const int t = thread();
  if (t < C) own_.offsets[t] = angle(t);
  if (kSums && t <= C) own_.fades[t] = fading(t);
  if (kPart == Part::sweep && t < 2 * C) {
    const int ahead = args.reverse ? C - t : t - C;  // of the source
    own_.table[t] = ahead < 0 ? -1.0F : static_cast<float>(angle(ahead).cosine) * fading(ahead);
  }
}

template <class Derived, class L, Part kPart>
COSFORMER_DEVICE auto Walk<Derived, L, kPart>::after(Item item) const -> Item {
  item.stage = item.stage + 1 < L::kStages ? item.stage + 1 : 0;
  if (kSums && item.source + 1 < args_.sources_a_reader) return {item.chunk, item.source + 1, item.stage};
  return {item.chunk + (args_.reverse ? -1 : 1), 0, item.stage};
}

/// Work O(chunks); a chunk's rows arrive while those before are computed, where there is room for several.
template <class Derived, class L, Part kPart>
COSFORMER_DEVICE void Walk<Derived, L, kPart>::go() {
  const int segment = static_cast<int>(args_.segment);
  const int begin = first_segment_ * segment;
  const int64_t most = args_.segments_a_block * args_.segment;
  const int end = most < count_ - begin ? begin + static_cast<int>(most) : count_;
  const int chunks = end > begin ? (end - begin + C - 1) / C : 0;
  const bool comes_last =
      args_.reverse ? first_segment_ == 0 : end == count_ && (chunks > 0 || first_segment_ == 0);
  const bool wants_last = kPart == Part::sweep && comes_last && (args_.last.S || args_.last.z);
  const bool hands_on = kPart == Part::sweep && args_.in_turn && (args_.reverse ? begin > 0 : end < count_);
  if (chunks == 0 && !wants_last) return;
  if (kPart == Part::sum && args_.cut && comes_last) return;  // no segment follows

  clear_local();
  const bool goes_on = kPart == Part::sweep && (args_.cut || args_.in_turn) &&
                       (args_.reverse ? end < count_ : begin > 0);  // where another block ended
  const int64_t slots = index_ * args_.slots;
  if (kPart == Part::sweep) {
    load_state(goes_on ? args_.parts : args_.initial,
               goes_on ? slots + (args_.reverse ? group_ : group_ - 1) : index_);
  }
  started_ = has_before_ = goes_on || (kPart != Part::sum && args_.initial.S);

  const int past = begin / C + (args_.reverse ? -1 : chunks);  // the chunk that is none
  const Item beginning{.chunk = begin / C + (args_.reverse ? chunks - 1 : 0)};
  Item coming = beginning;
  const auto begin_bring = [&] {
    if (coming.chunk != past) begin_fetch(coming);
  };
  const auto end_bring = [&] {
    if (coming.chunk == past) return;
    end_fetch(coming);
    coming = after(coming);
  };
  constexpr int kAhead = L::kStages > 1 ? L::kStages - 1 : 1;
  put_bases(beginning.chunk / Own::kWindow);
  put_bases(beginning.chunk / Own::kWindow + (args_.reverse ? -1 : 1));
  derived().hand_over();
  sync();
  for (int k = 0; k < kAhead; ++k) {
    begin_bring();
    end_bring();
  }
  if (kPart == Part::read) {  // while the first rows come
    load_state(args_.initial, index_);
    derived().put_state(1.0F);
    put_vector(1.0F);
  }
  for (Item item = beginning; item.chunk != past; item = after(item)) {
    derived().hand_over();
    sync();
    if (L::kStages > 1) begin_bring();
    derived().arrive(item.stage);
    first_ = item.chunk * C;
    valid_ = count_ - first_ < C ? count_ - first_ : C;
    const int segment_begin = first_ & -segment;  // a power of 2
    const int segment_end = segment < count_ - segment_begin ? segment_begin + segment : count_;
    const Item next = after(item);
    const bool first_source = item.source == 0, last_source = next.source == 0;
    derived().compute(
        Chunk{
            .first_source = first_source,
            .last_source = last_source,
            .adds = !last_source || next.chunk != past || kPart == Part::sum || wants_last || hands_on,
            .new_state = first_source && started_ && (kPart == Part::sweep || item.chunk == beginning.chunk),
            .faded = kPart == Part::read ? 1.0F
                     : args_.reverse     ? fading(segment_end - first_ - valid_)
                                         : fading(first_ - segment_begin),
            .fade = kSums && first_source ? own_.fades[valid_] : 1.0F},
        factors(item.stage));
    if (kSums && last_source) {
      started_ = true;
      const bool ends = args_.reverse ? first_ == segment_begin : first_ + valid_ == segment_end;
      if (kPart == Part::sweep && ends) end_segment(fading(segment_end - segment_begin));
    }
    if (L::kStages == 1) {
      sync();
      begin_bring();
    }
    end_bring();
  }
  derived().end();
  if (kPart == Part::sum) {
    store_state(args_.parts, slots + (args_.cut && args_.reverse ? first_segment_ - 1 : first_segment_));
  } else if ((wants_last || hands_on) && head_ % args_.readers_a_source == 0) {
    store_state(hands_on ? args_.parts : args_.last,
                hands_on ? slots + (args_.reverse ? group_ - 1 : group_) : index_);
  }
}

}  // namespace cosformer::cuda

#include "kernels/cuda/walk_factors.h"
#include "kernels/cuda/walk_state.h"
