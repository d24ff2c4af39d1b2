#include "ops/fill/attention_state.h"

#include <torch/library.h>

#include "ops/cuda/device.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, CUDA, library) {
  library.impl("attention_state", Whole<op::AttentionState>::kernel<fill_state<Cuda>>);
  library.impl("_attention_state_forward", Forward<op::AttentionState>::kernel<fill_state<Cuda>>);
  library.impl("_attention_state_backward", Backward<op::AttentionState>::kernel<fill_state_gradients<Cuda>>);
}

}  // namespace cosformer::ops
