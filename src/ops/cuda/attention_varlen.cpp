#include <torch/library.h>

#include "ops/cuda/device.h"
#include "ops/fill/attention.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, CUDA, library) {
  library.impl("attention_varlen", Whole<op::AttentionVarlen>::kernel<fill_attention<Cuda>>);
  library.impl("_attention_varlen_forward", Forward<op::AttentionVarlen>::kernel<fill_attention<Cuda>>);
  library.impl("_attention_varlen_backward",
               Backward<op::AttentionVarlen>::kernel<fill_attention_gradients<Cuda>>);
}

}  // namespace cosformer::ops
