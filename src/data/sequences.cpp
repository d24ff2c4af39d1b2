#include "data/sequences.h"

#include <algorithm>

namespace cosformer::data {

Batch Sequences::batch(std::span<const int64_t> numbers) const {
  const auto targets_of = [&](int64_t number) { return std::min(length_, predicted() - number * length_); };
  Batch batch;
  batch.rows = static_cast<int64_t>(numbers.size());
  for (const int64_t number : numbers) batch.length = std::max(batch.length, targets_of(number));
  const auto length = static_cast<std::size_t>(batch.length);
  batch.inputs.assign(numbers.size() * length, 0);
  batch.targets.assign(numbers.size() * length, kNoTarget);
  for (std::size_t row = 0; row < numbers.size(); ++row) {
    const int64_t begin = numbers[row] * length_;
    const auto count = static_cast<std::size_t>(targets_of(numbers[row]));
    tokens_.copy(begin, std::span(batch.inputs).subspan(row * length, count));
    tokens_.copy(begin + 1, std::span(batch.targets).subspan(row * length, count));
    batch.predicted += static_cast<int64_t>(count);
  }
  return batch;
}

}  // namespace cosformer::data
