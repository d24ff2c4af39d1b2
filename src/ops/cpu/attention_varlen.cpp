#include <torch/library.h>

#include "ops/cpu/device.h"
#include "ops/fill/attention.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention_varlen", Whole<op::AttentionVarlen>::kernel<fill_attention<Cpu>>);
  library.impl("_attention_varlen_forward", Forward<op::AttentionVarlen>::kernel<fill_attention<Cpu>>);
  library.impl("_attention_varlen_backward",
               Backward<op::AttentionVarlen>::kernel<fill_attention_gradients<Cpu>>);
}

}  // namespace cosformer::ops
