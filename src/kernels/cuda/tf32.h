#pragma once

namespace cosformer::cuda {

/// Names products of floats whose factors are rounded to TF32's 11 bits.
struct Tf32 {};

}  // namespace cosformer::cuda
