#pragma once

#include "kernels/cpu/call.h"

namespace cosformer::cpu {

/// Tokens of some units one after another through the recurrence, S_out and z_out advanced in place, or,
/// where they are not wanted, S [B, G, N, K, V] and z [B, G, N, K] in `own`. Causal.
template <class T>
void forward_recurrent(const Call<T>& call, const AttentionForward<T>& args, const std::vector<Unit>& units,
                       float* own);

extern template void forward_recurrent(const Call<float>&, const AttentionForward<float>&,
                                       const std::vector<Unit>&, float*);
extern template void forward_recurrent(const Call<bfloat16>&, const AttentionForward<bfloat16>&,
                                       const std::vector<Unit>&, float*);

}  // namespace cosformer::cpu
