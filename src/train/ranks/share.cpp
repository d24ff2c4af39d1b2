#include "train/ranks/share.h"

#include <algorithm>

namespace cosformer::train {

data::Batch Share::of(const data::Batch& batch) const {
  const int64_t first = begin(batch.rows), last = end(batch.rows);
  const int64_t length = (batch.length + stretches - 1) / stretches, from = stretch * length;
  const int64_t there = std::clamp<int64_t>(batch.length - from, 0, length);
  data::Batch part;
  part.rows = last - first;
  part.length = length;
  part.inputs.assign(static_cast<std::size_t>(part.rows * length), 0);
  part.targets.assign(part.inputs.size(), data::kNoTarget);
  for (int64_t row = first; row < last; ++row) {
    const auto source = row * batch.length + std::min(from, batch.length), target = (row - first) * length;
    std::copy_n(batch.inputs.begin() + source, there, part.inputs.begin() + target);
    std::copy_n(batch.targets.begin() + source, there, part.targets.begin() + target);
  }
  part.predicted = std::count_if(part.targets.begin(), part.targets.end(),
                                 [](int64_t target) { return target != data::kNoTarget; });
  return part;
}

}  // namespace cosformer::train
