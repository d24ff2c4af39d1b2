#pragma once

#include "ops/arguments.h"

namespace cosformer::ops {

/// A new contiguous tensor without values, of the sizes and dtype of that result of a checked call. CPU and
/// Meta kernels both make their results here, so that they agree.
Tensor new_result(const Call& call, const Shape& shape, Tensor Call::*result);

}  // namespace cosformer::ops
