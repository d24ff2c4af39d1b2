#include <torch/library.h>

#include "ops/meta/no_values.h"
#include "ops/operators.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, Meta, library) {
  library.impl("attention_stateful", Whole<op::AttentionStateful>::kernel<no_values>);
  library.impl("_attention_stateful_forward", Forward<op::AttentionStateful>::kernel<no_values>);
  library.impl("_attention_stateful_backward", Backward<op::AttentionStateful>::kernel<no_values>);
}

}  // namespace cosformer::ops
