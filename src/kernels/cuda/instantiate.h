#pragma once

#include "cosformer/cuda.h"

/// Every function for one T, in namespace cosformer::cuda.
#define COSFORMER_INSTANTIATE_CUDA(T)                                                                       \
  template COSFORMER_API void attention_forward(const AttentionForward<T>&, const Execution&);              \
  template COSFORMER_API void attention_backward(const AttentionBackward<T>&, const Execution&);            \
  template COSFORMER_API void attention_step(const AttentionStep<T>&, const Execution&);                    \
  template COSFORMER_API void attention_state(const AttentionState<T>&, const Execution&);                  \
  template COSFORMER_API void attention_state_backward(const AttentionStateBackward<T>&, const Execution&); \
  template COSFORMER_API void attention_read(const AttentionRead<T>&, const Execution&);                    \
  template COSFORMER_API void attention_read_backward(const AttentionReadBackward<T>&, const Execution&);
