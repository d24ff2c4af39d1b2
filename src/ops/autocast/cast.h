#pragma once

#include "ops/operators.h"

namespace cosformer::ops {

/// Queries, keys and values in autocast's dtype for their device; states keep theirs. On CPU there is
/// bfloat16 alone: with another dtype the tensors stay as they are. float64 stays in any case.
void cast(Call& call);

/// Calls X on the tensors that cast() leaves.
template <class X>
void cast_and_call(Call& call) {
  const c10::impl::ExcludeDispatchKeyGuard without_autocast(
      c10::DispatchKeySet({c10::DispatchKey::AutocastCPU, c10::DispatchKey::AutocastCUDA}));
  cast(call);
  Whole<X>::run(call);
}

}  // namespace cosformer::ops
