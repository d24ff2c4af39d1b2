#include <torch/library.h>

#include "ops/cuda/device.h"
#include "ops/fill/attention.h"

namespace cosformer::ops {
namespace {

/// A row's position grows by its own tokens.
void advance_positions(const Call& call) {
  const int64_t T = call.key.size(1);
  call.position_out.copy_(call.position);
  if (present(call.key_padding_mask)) {
    call.position_out.add_(call.key_padding_mask->logical_not().sum(1));
  } else {
    call.position_out.add_(T);
  }
}

void fill(const Call& call, const Shape& shape) {
  fill_attention<Cuda>(call, shape);
  advance_positions(call);
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, CUDA, library) {
  library.impl("attention_stateful", Whole<op::AttentionStateful>::kernel<fill>);
  library.impl("_attention_stateful_forward", Forward<op::AttentionStateful>::kernel<fill>);
  library.impl("_attention_stateful_backward",
               Backward<op::AttentionStateful>::kernel<fill_attention_gradients<Cuda>>);
}

}  // namespace cosformer::ops
