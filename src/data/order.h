#pragma once

#include <cstdint>
#include <vector>

namespace cosformer::data {

/// Endless stream of sequences, epoch after epoch. Each epoch is a permutation of all of them and a function
/// of (seed, epoch) alone, fixed by the C++ standard: the place in the stream is all that has to be kept.
class SequenceOrder {
 public:
  /// @param count at least 1
  SequenceOrder(int64_t count, uint64_t seed) : count_(count), seed_(seed) {}

  /// The number of the sequence at a place; O(count) where an epoch begins.
  int64_t at(int64_t place);

 private:
  int64_t count_;
  uint64_t seed_;
  int64_t epoch_ = -1;
  std::vector<int64_t> permutation_;
};

/// The permutation of 0 .. count - 1 of one epoch.
std::vector<int64_t> epoch_permutation(int64_t count, uint64_t seed, int64_t epoch);

}  // namespace cosformer::data
