#pragma once

#include <cstdint>
#include <string>

#include "train/scaling.h"

namespace cosformer::cli {

/// A table of a step on 1, 2, 4, ... and `ranks` ranks, as docs/scaling.md computes it; with sequences that
/// are split from train.sequence_ranks on.
/// @param recipe with model.vocabulary_size
/// @throws UsageError unless train.sequence_ranks divides `ranks` and each group of ranks has a row
std::string describe_ranks(const train::Recipe& recipe, int64_t ranks, const train::RankMachine& machine);

}  // namespace cosformer::cli
