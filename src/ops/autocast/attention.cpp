#include <torch/library.h>

#include "ops/autocast/cast.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, AutocastCPU, library) {
  library.impl("attention", Whole<op::Attention>::pass<cast_and_call<op::Attention>>);
}

TORCH_LIBRARY_IMPL(cosformer, AutocastCUDA, library) {
  library.impl("attention", Whole<op::Attention>::pass<cast_and_call<op::Attention>>);
}

}  // namespace cosformer::ops
