#include "ops/fill/attention_read.h"

#include <torch/library.h>

#include "ops/cuda/device.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, CUDA, library) {
  library.impl("attention_read", Whole<op::AttentionRead>::kernel<fill_read<Cuda>>);
  library.impl("_attention_read_forward", Forward<op::AttentionRead>::kernel<fill_read<Cuda>>);
  library.impl("_attention_read_backward", Backward<op::AttentionRead>::kernel<fill_read_gradients<Cuda>>);
}

}  // namespace cosformer::ops
