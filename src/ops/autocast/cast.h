#pragma once

#include <ATen/autocast_mode.h>

#include "ops/operators.h"

namespace cosformer::ops {

/// Calls X on queries, keys and values of autocast's dtype; states keep theirs. On CPU there is bfloat16
/// alone: with another dtype the tensors stay as they are. float64 stays in any case.
template <class X>
void cast_and_call(Call& call) {
  const c10::impl::ExcludeDispatchKeyGuard without_autocast(c10::DispatchKey::AutocastCPU);
  const auto dtype = at::autocast::get_autocast_dtype(at::kCPU);
  for (Tensor* tensor : {&call.query, &call.key, &call.value}) {
    if (tensor->defined() && dtype == at::kBFloat16)
      *tensor = at::autocast::cached_cast(dtype, *tensor, at::kCPU);
  }
  Whole<X>::run(call);
}

}  // namespace cosformer::ops
