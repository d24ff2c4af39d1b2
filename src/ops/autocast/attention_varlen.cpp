#include <torch/library.h>

#include "ops/autocast/cast.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, AutocastCPU, library) {
  library.impl("attention_varlen", Whole<op::AttentionVarlen>::pass<cast_and_call<op::AttentionVarlen>>);
}

TORCH_LIBRARY_IMPL(cosformer, AutocastCUDA, library) {
  library.impl("attention_varlen", Whole<op::AttentionVarlen>::pass<cast_and_call<op::AttentionVarlen>>);
}

}  // namespace cosformer::ops
