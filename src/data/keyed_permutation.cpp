#include "data/keyed_permutation.h"

#include <algorithm>
#include <bit>

#include "data/windows.h"

namespace cosformer::data {

KeyedPermutation::KeyedPermutation(int64_t count, uint64_t seed, int64_t epoch)
    : count_(static_cast<uint64_t>(count)),
      half_bits_(std::max(1, (static_cast<int>(std::bit_width(count_ - 1)) + 1) / 2)) {
  mask_ = (uint64_t{1} << half_bits_) - 1;
  uint64_t key = mixed(seed) ^ mixed(static_cast<uint64_t>(epoch) + kHashFactor);
  for (uint64_t& round : keys_) round = mixed(key += kHashFactor);
}

int64_t KeyedPermutation::at(int64_t place) const {
  auto value = static_cast<uint64_t>(place);
  do {
    uint64_t left = value >> half_bits_, right = value & mask_;
    for (const uint64_t key : keys_) {
      const uint64_t next = left ^ (mixed(right + key) & mask_);
      left = right;
      right = next;
    }
    value = left << half_bits_ | right;
  } while (value >= count_);
  return static_cast<int64_t>(value);
}

}  // namespace cosformer::data
