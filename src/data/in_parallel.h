#pragma once

#include <cstdint>
#include <functional>

namespace cosformer::data {

/// Calls `call` with each number from 0 to count - 1, in this order but by up to `workers` threads at once.
/// Where a call throws, no further one is begun, and the first error is thrown on.
void in_parallel(int64_t count, int workers, const std::function<void(int64_t)>& call);

}  // namespace cosformer::data
