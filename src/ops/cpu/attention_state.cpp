#include "ops/fill/attention_state.h"

#include <torch/library.h>

#include "ops/cpu/device.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention_state", Whole<op::AttentionState>::kernel<fill_state<Cpu>>);
  library.impl("_attention_state_forward", Forward<op::AttentionState>::kernel<fill_state<Cpu>>);
  library.impl("_attention_state_backward", Backward<op::AttentionState>::kernel<fill_state_gradients<Cpu>>);
}

}  // namespace cosformer::ops
