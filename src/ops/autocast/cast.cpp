#include "ops/autocast/cast.h"

#include <ATen/autocast_mode.h>

namespace cosformer::ops {

void cast(Call& call) {
  const auto device = (call.query.defined() ? call.query : call.key).device().type();
  const auto dtype = at::autocast::get_autocast_dtype(device);
  if (device == at::kCPU && dtype != at::kBFloat16) return;
  for (Tensor* tensor : {&call.query, &call.key, &call.value}) {
    if (tensor->defined()) *tensor = at::autocast::cached_cast(dtype, *tensor, device);
  }
}

}  // namespace cosformer::ops
