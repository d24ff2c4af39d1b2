#include <torch/library.h>

#include "ops/meta/no_values.h"
#include "ops/operators.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, Meta, library) {
  library.impl("attention_state", Whole<op::AttentionState>::kernel<no_values>);
  library.impl("_attention_state_forward", Forward<op::AttentionState>::kernel<no_values>);
  library.impl("_attention_state_backward", Backward<op::AttentionState>::kernel<no_values>);
}

}  // namespace cosformer::ops
