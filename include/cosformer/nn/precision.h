#pragma once

namespace cosformer::nn {

enum class Precision {
  kFloat32,
  /// Linear layers, attention and the head multiply operands rounded to bfloat16 and sum in float32; weights,
  /// their gradients, norms, the residual stream, softmax and loss are float32.
  kBfloat16,
};

}  // namespace cosformer::nn
