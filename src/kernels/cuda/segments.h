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
