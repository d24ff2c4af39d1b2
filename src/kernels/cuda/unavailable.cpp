// In builds without CUDA.

#include "kernels/cuda/instantiate.h"

namespace cosformer::cuda {
namespace {

[[noreturn]] void refuse() {
  throw DeviceError(
      "attention: this build has no CUDA kernels, expected one configured with COSFORMER_CUDA=ON");
}

}  // namespace

bool is_built() {
  return false;
}
bool is_available() {
  return false;
}

template <class T>
void attention_forward(const AttentionForward<T>&, const Execution&) {
  refuse();
}
template <class T>
void attention_backward(const AttentionBackward<T>&, const Execution&) {
  refuse();
}
template <class T>
void attention_step(const AttentionStep<T>&, const Execution&) {
  refuse();
}
template <class T>
void attention_state(const AttentionState<T>&, const Execution&) {
  refuse();
}
template <class T>
void attention_state_backward(const AttentionStateBackward<T>&, const Execution&) {
  refuse();
}
template <class T>
void attention_read(const AttentionRead<T>&, const Execution&) {
  refuse();
}
template <class T>
void attention_read_backward(const AttentionReadBackward<T>&, const Execution&) {
  refuse();
}

COSFORMER_INSTANTIATE_CUDA(float)
COSFORMER_INSTANTIATE_CUDA(bfloat16)
COSFORMER_INSTANTIATE_CUDA(float16)

}  // namespace cosformer::cuda
