#pragma once

#include "kernels/cpu/call.h"

namespace cosformer::cpu {

/// Tokens one after another through the recurrence, S_out and z_out advanced in place.
template <class T>
void forward_recurrent(const Call<T>& call, const AttentionForward<T>& args);

extern template void forward_recurrent(const Call<float>&, const AttentionForward<float>&);
extern template void forward_recurrent(const Call<bfloat16>&, const AttentionForward<bfloat16>&);

}  // namespace cosformer::cpu
