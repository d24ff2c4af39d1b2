#include <torch/library.h>

#include "ops/autocast/cast.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, AutocastCPU, library) {
  library.impl("attention_read", Whole<op::AttentionRead>::pass<cast_and_call<op::AttentionRead>>);
}

TORCH_LIBRARY_IMPL(cosformer, AutocastCUDA, library) {
  library.impl("attention_read", Whole<op::AttentionRead>::pass<cast_and_call<op::AttentionRead>>);
}

}  // namespace cosformer::ops
