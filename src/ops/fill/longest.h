#pragma once

#include "ops/call.h"

namespace cosformer::ops {

/// Waits for the device that has the offsets.
/// @throws ValueError where a packed sequence is longer than max_seqlen_q or max_seqlen_k says
void check_longest(const Call& call);

}  // namespace cosformer::ops
