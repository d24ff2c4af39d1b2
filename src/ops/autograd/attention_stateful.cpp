#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>
#include <torch/library.h>

#include "ops/autograd/differentiable.h"

namespace cosformer::ops {

TORCH_LIBRARY_IMPL(cosformer, Autograd, library) {
  library.impl("attention_stateful",
               Whole<op::AttentionStateful>::pass<differentiate<op::AttentionStateful>>);
  // A derivative of these is refused by name.
  library.impl("_attention_stateful_forward", torch::autograd::autogradNotImplementedFallback());
  library.impl("_attention_stateful_backward", torch::autograd::autogradNotImplementedFallback());
}

}  // namespace cosformer::ops
