#include "ops/fill/attention.h"

#include <torch/library.h>

#include "ops/cpu/device.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention", Whole<op::Attention>::kernel<fill_attention<Cpu>>);
  library.impl("_attention_forward", Forward<op::Attention>::kernel<fill_attention<Cpu>>);
  library.impl("_attention_backward", Backward<op::Attention>::kernel<fill_attention_gradients<Cpu>>);
}

}  // namespace cosformer::ops
