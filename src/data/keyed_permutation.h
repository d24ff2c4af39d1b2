#pragma once

#include <array>
#include <cstdint>

namespace cosformer::data {

/// A permutation of 0 .. count - 1 that needs no memory: a Feistel network over the next power of 4, walked
/// until it comes back below count (Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002).
class KeyedPermutation {
 public:
  /// @param count from 1 to 2^62
  KeyedPermutation(int64_t count, uint64_t seed, int64_t epoch);

  /// Where a place below count goes; fewer than 4 walks are expected.
  int64_t at(int64_t place) const;

 private:
  uint64_t count_, mask_;
  int half_bits_;
  std::array<uint64_t, 6> keys_;  // one a round
};

}  // namespace cosformer::data
