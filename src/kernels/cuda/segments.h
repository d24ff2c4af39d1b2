#pragma once

#include <algorithm>
#include <cstdint>

#include "cosformer/attention.h"

/// Where causal sweeps are cut, and what that costs.
namespace cosformer::cuda {

/// Tokens of a segment, from K and V alone, so that bits depend on nothing else: the least power of 2 that
/// keeps states below a seventh of cut_traffic().
inline int64_t segment_length(int64_t K, int64_t V) {
  constexpr int64_t kLeast = 256, kMost = 8192;
  int64_t length = kLeast;
  while (length < kMost && length * (K + V) < 56 * K * (V + 1)) length *= 2;
  return length;
}

inline int64_t segments_of(int64_t length, int64_t segment) {
  return std::max<int64_t>(1, (length + segment - 1) / segment);
}

inline int64_t groups_of(int64_t segments, int64_t segments_a_block) {
  return (segments + segments_a_block - 1) / segments_a_block;
}

/// How the blocks of a sweep share its sequences.
struct Split {
  int64_t segments_a_block = 1;
  bool cut = false;  ///< blocks of one sequence run at once, after a pass of sums; else one after another
};

/// The split that takes the least time, where a processor has one block at a time. A sequence a block leaves
/// processors idle at the end, unless blocks are many or fill them evenly; so sequences are gone through in
/// launches of a block a processor, of which each goes on where the ones before ended. Where not even the
/// first launch is full, sequences are cut.
/// @param blocks one a sequence, head and slice
/// @param sums blocks of the pass of sums, a segment
/// @param knows_lengths whether sequences have about as many segments as the longest
inline Split split_sweep(int64_t blocks, int64_t sums, int64_t segments, int64_t processors,
                         bool knows_lengths) {
  // In a segment's time, estimated: another launch, the pass that adds sums, a segment's sum.
  constexpr double kLaunch = 0.04, kCombine = 0.1, kSum = 0.5;
  const auto rounds = [&](int64_t count) { return static_cast<double>(groups_of(count, processors)); };
  Split best{.segments_a_block = segments};
  double least = rounds(blocks) * static_cast<double>(segments);
  if (blocks < processors) {
    const double time = rounds(blocks * segments) + kSum * rounds(sums * (segments - 1)) + kCombine;
    return segments > 1 && (!knows_lengths || time < least) ? Split{.cut = true} : best;
  }
  for (int64_t length = segments - 1; knows_lengths && length > 0; --length) {
    const double time =
        rounds(blocks * groups_of(segments, length)) * (static_cast<double>(length) + kLaunch);
    if (time < least) least = time, best.segments_a_block = length;
  }
  return best;
}

/// Bytes to and from memory.
struct Traffic {
  int64_t states = 0, rows = 0;

  double share() const { return rows > 0 ? static_cast<double>(states) / static_cast<double>(rows) : 0; }
};

/// Of a forward sweep that is cut at every end of a segment where another follows. A first pass writes a
/// state there, a second reads and writes it, and every head of its group's queries reads it; q, k, v and o
/// count once. Backward's three sweeps each have states of that size, and rows of at least that.
/// @param states N, of cosine and sine
inline Traffic cut_traffic(const AttentionShape& s, int64_t states, int64_t element_bytes) {
  const int64_t cuts = segments_of(s.Tq, segment_length(s.K, s.V)) - 1;
  const int64_t state = states * s.K * (s.V + 1) * static_cast<int64_t>(sizeof(float));
  return {s.B * cuts * (3 * s.G + s.H) * state, s.B * s.Tq * (s.H + s.G) * (s.K + s.V) * element_bytes};
}

}  // namespace cosformer::cuda
