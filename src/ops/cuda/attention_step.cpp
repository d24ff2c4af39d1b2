#include "ops/fill/attention_step.h"

#include <torch/library.h>

#include "ops/cuda/device.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, CUDA, library) {
  library.impl("attention_step_", Whole<op::AttentionStep>::kernel<fill_step<Cuda>>);
}

}  // namespace cosformer::ops
