#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "data/keyed_permutation.h"

namespace cosformer::data {

/// Sequences up to which an epoch's permutation is drawn as a table, of 8 bytes a sequence; more take
/// KeyedPermutation.
inline constexpr int64_t kMostInTable = int64_t{1} << 24;

/// Endless stream of sequences, epoch after epoch. Each epoch is a permutation of all of them and a function
/// of (seed, epoch) alone, fixed by the C++ standard: the place in the stream is all that has to be kept.
class SequenceOrder {
 public:
  /// @param count at least 1
  SequenceOrder(int64_t count, uint64_t seed) : count_(count), seed_(seed) {}

  /// The number of the sequence at a place; O(count) where an epoch of a table begins, else O(1).
  int64_t at(int64_t place);

 private:
  int64_t count_;
  uint64_t seed_;
  int64_t epoch_ = -1;
  std::vector<int64_t> table_;
  std::optional<KeyedPermutation> keyed_;
};

/// The permutation of 0 .. count - 1 of one epoch, as a table.
std::vector<int64_t> epoch_permutation(int64_t count, uint64_t seed, int64_t epoch);

}  // namespace cosformer::data
