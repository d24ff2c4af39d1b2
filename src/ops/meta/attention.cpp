#include <torch/library.h>

#include "ops/meta/no_values.h"
#include "ops/operators.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, Meta, library) {
  library.impl("attention", Whole<op::Attention>::kernel<no_values>);
  library.impl("_attention_forward", Forward<op::Attention>::kernel<no_values>);
  library.impl("_attention_backward", Backward<op::Attention>::kernel<no_values>);
}

}  // namespace cosformer::ops
