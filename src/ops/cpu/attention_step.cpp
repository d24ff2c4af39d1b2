#include "ops/fill/attention_step.h"

#include <torch/library.h>

#include "ops/cpu/device.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention_step_", Whole<op::AttentionStep>::kernel<fill_step<Cpu>>);
}

}  // namespace cosformer::ops
