#include <torch/library.h>

#include "ops/cpu/device.h"
#include "ops/fill/attention.h"

namespace cosformer::ops {
namespace {

/// A row's position grows by its own tokens.
void advance_positions(const Call& call) {
  const auto& position = call.position;
  const auto* first = position.const_data_ptr<int64_t>();
  auto* after = call.position_out.mutable_data_ptr<int64_t>();
  for (int64_t b = 0; b < position.size(0); ++b) after[b] = first[b * position.stride(0)] + call.key.size(1);
  if (!present(call.key_padding_mask)) return;
  const auto& mask = *call.key_padding_mask;
  const auto* padding = mask.const_data_ptr<bool>();
  for (int64_t b = 0; b < mask.size(0); ++b) {
    for (int64_t t = 0; t < mask.size(1); ++t) {
      after[b] -= padding[b * mask.stride(0) + t * mask.stride(1)] ? 1 : 0;
    }
  }
}

void fill(const Call& call, const Shape& shape) {
  fill_attention<Cpu>(call, shape);
  advance_positions(call);
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention_stateful", Whole<op::AttentionStateful>::kernel<fill>);
  library.impl("_attention_stateful_forward", Forward<op::AttentionStateful>::kernel<fill>);
  library.impl("_attention_stateful_backward",
               Backward<op::AttentionStateful>::kernel<fill_attention_gradients<Cpu>>);
}

}  // namespace cosformer::ops
