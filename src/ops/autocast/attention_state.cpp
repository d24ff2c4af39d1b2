#include <torch/library.h>

#include "ops/autocast/cast.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, AutocastCPU, library) {
  library.impl("attention_state", Whole<op::AttentionState>::pass<cast_and_call<op::AttentionState>>);
}

TORCH_LIBRARY_IMPL(cosformer, AutocastCUDA, library) {
  library.impl("attention_state", Whole<op::AttentionState>::pass<cast_and_call<op::AttentionState>>);
}

}  // namespace cosformer::ops
