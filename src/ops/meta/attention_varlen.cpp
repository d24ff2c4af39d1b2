#include <torch/library.h>

#include "ops/meta/no_values.h"
#include "ops/operators.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, Meta, library) {
  library.impl("attention_varlen", Whole<op::AttentionVarlen>::kernel<no_values>);
  library.impl("_attention_varlen_forward", Forward<op::AttentionVarlen>::kernel<no_values>);
  library.impl("_attention_varlen_backward", Backward<op::AttentionVarlen>::kernel<no_values>);
}

}  // namespace cosformer::ops
