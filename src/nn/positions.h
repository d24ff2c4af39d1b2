#pragma once

#include <torch/types.h>

namespace cosformer::nn {

/// Rows begin .. begin + count - 1 of the endless table p[t, 2 i] = sin(t / 10000^(2 i / width)), p[t, 2 i +
/// 1] = cos of the same, computed in double and rounded once.
/// @param width even
/// @return [count, width] of `options`' dtype and device
torch::Tensor sinusoidal_positions(int64_t begin, int64_t count, int64_t width,
                                   const torch::TensorOptions& options);

}  // namespace cosformer::nn
