#include <torch/library.h>

#include "ops/autocast/cast.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, AutocastCPU, library) {
  library.impl("attention_stateful",
               Whole<op::AttentionStateful>::pass<cast_and_call<op::AttentionStateful>>);
}

TORCH_LIBRARY_IMPL(cosformer, AutocastCUDA, library) {
  library.impl("attention_stateful",
               Whole<op::AttentionStateful>::pass<cast_and_call<op::AttentionStateful>>);
}

}  // namespace cosformer::ops
