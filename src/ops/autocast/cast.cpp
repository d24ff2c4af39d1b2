#include "ops/autocast/cast.h"

#include <ATen/autocast_mode.h>

namespace cosformer::ops {

void cast(Call& call) {
  const auto dtype = at::autocast::get_autocast_dtype(at::kCPU);
  for (Tensor* tensor : {&call.query, &call.key, &call.value}) {
    if (tensor->defined() && dtype == at::kBFloat16)
      *tensor = at::autocast::cached_cast(dtype, *tensor, at::kCPU);
  }
}

}  // namespace cosformer::ops
