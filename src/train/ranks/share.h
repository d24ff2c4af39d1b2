#pragma once

#include "data/sequences.h"

namespace cosformer::train {

/// What one process computes of each batch: groups of processes take rows, and the processes of a group take
/// stretches of tokens in order. Everything, for one process alone.
struct Share {
  int64_t group = 0, groups = 1;
  int64_t stretch = 0, stretches = 1;

  /// Rows begin .. end - 1 of `rows`, which are spread evenly and in order.
  int64_t begin(int64_t rows) const { return rows * group / groups; }
  int64_t end(int64_t rows) const { return rows * (group + 1) / groups; }

  /// This process's part of a batch. Where the stretches do not divide its length, padding makes up for it.
  data::Batch of(const data::Batch& batch) const;
};

}  // namespace cosformer::train
