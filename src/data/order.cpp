#include "data/order.h"

#include <limits>
#include <numeric>
#include <random>
#include <utility>

namespace cosformer::data {
namespace {

/// Uniform in 0 .. bound - 1. The standard's distributions may differ from library to library.
uint64_t draw(std::mt19937_64& generator, uint64_t bound) {
  // Values from the last, incomplete run of `bound` are drawn again.
  const uint64_t limit = std::numeric_limits<uint64_t>::max() / bound * bound;
  uint64_t value = generator();
  while (value >= limit) value = generator();
  return value % bound;
}

}  // namespace

std::vector<int64_t> epoch_permutation(int64_t count, uint64_t seed, int64_t epoch) {
  const auto number = static_cast<uint64_t>(epoch);
  std::seed_seq words{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                      static_cast<uint32_t>(number), static_cast<uint32_t>(number >> 32)};
  std::mt19937_64 generator(words);
  std::vector<int64_t> permutation(static_cast<std::size_t>(count));
  std::iota(permutation.begin(), permutation.end(), int64_t{0});
  for (std::size_t left = permutation.size(); left > 1; --left) {
    std::swap(permutation[left - 1], permutation[draw(generator, left)]);
  }
  return permutation;
}

int64_t SequenceOrder::at(int64_t place) {
  if (place / count_ != epoch_) {
    epoch_ = place / count_;
    if (count_ <= kMostInTable) {
      table_ = epoch_permutation(count_, seed_, epoch_);
    } else {
      keyed_.emplace(count_, seed_, epoch_);
    }
  }
  return keyed_ ? keyed_->at(place % count_) : table_[static_cast<std::size_t>(place % count_)];
}

}  // namespace cosformer::data
