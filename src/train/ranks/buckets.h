#pragma once

#include <cstdint>

namespace cosformer::train {

/// Gradients are summed over ranks in buckets of about this size: large enough for the link, small enough to
/// go while the backward pass still runs.
inline constexpr int64_t kBucketBytes = int64_t{4} << 20;

}  // namespace cosformer::train
