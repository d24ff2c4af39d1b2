#include <torch/library.h>

#include "ops/operators.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, Meta, library) {
  library.impl("attention_step_", Whole<op::AttentionStep>::kernel<check_one_token>);
}

}  // namespace cosformer::ops
