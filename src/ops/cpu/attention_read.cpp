#include "ops/fill/attention_read.h"

#include <torch/library.h>

#include "ops/cpu/device.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention_read", Whole<op::AttentionRead>::kernel<fill_read<Cpu>>);
  library.impl("_attention_read_forward", Forward<op::AttentionRead>::kernel<fill_read<Cpu>>);
  library.impl("_attention_read_backward", Backward<op::AttentionRead>::kernel<fill_read_gradients<Cpu>>);
}

}  // namespace cosformer::ops
