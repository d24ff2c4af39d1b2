#include "ops/fill/longest.h"

#include <c10/util/Exception.h>

namespace cosformer::ops {
namespace {

void check(const Call& call, const char* name, OptionalInt longest, const Tensor& cu_seqlens) {
  if (!longest || cu_seqlens.numel() < 2) return;
  const Tensor lengths = cu_seqlens.diff();
  const auto most = lengths.max().item<int64_t>();
  TORCH_CHECK_VALUE(most <= *longest, call.name, ": ", name,
                    " must be at least the longest sequence's length, got ", *longest, " and sequence ",
                    lengths.argmax().item<int64_t>(), " of ", most);
}

}  // namespace

void check_longest(const Call& call) {
  check(call, "max_seqlen_q", call.max_seqlen_q, call.cu_seqlens_q);
  check(call, "max_seqlen_k", call.max_seqlen_k, call.cu_seqlens_k);
}

}  // namespace cosformer::ops
