#include <torch/library.h>

#include "ops/autocast/cast.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, AutocastCPU, library) {
  library.impl("attention_step_", Whole<op::AttentionStep>::pass<cast_and_call<op::AttentionStep>>);
}

TORCH_LIBRARY_IMPL(cosformer, AutocastCUDA, library) {
  library.impl("attention_step_", Whole<op::AttentionStep>::pass<cast_and_call<op::AttentionStep>>);
}

}  // namespace cosformer::ops
