#include "ops/fill/attention.h"

#include <torch/library.h>

#include "ops/cuda/device.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, CUDA, library) {
  library.impl("attention", Whole<op::Attention>::kernel<fill_attention<Cuda>>);
  library.impl("_attention_forward", Forward<op::Attention>::kernel<fill_attention<Cuda>>);
  library.impl("_attention_backward", Backward<op::Attention>::kernel<fill_attention_gradients<Cuda>>);
}

}  // namespace cosformer::ops
