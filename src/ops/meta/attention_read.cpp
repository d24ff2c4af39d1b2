#include <torch/library.h>

#include "ops/meta/no_values.h"
#include "ops/operators.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, Meta, library) {
  library.impl("attention_read", Whole<op::AttentionRead>::kernel<no_values>);
  library.impl("_attention_read_forward", Forward<op::AttentionRead>::kernel<no_values>);
  library.impl("_attention_read_backward", Backward<op::AttentionRead>::kernel<no_values>);
}

}  // namespace cosformer::ops
