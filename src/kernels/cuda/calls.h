#pragma once

#include "kernels/cuda/passes.h"

/// The functions of cosformer/cuda.h.
namespace cosformer::cuda {

template <class Args>
void call(const Args& args, const Execution& execution) {
  check_call(args);
  Run run(execution, args.shape);
  start_passes(args, run);
  run.take_memory();
  start_passes(args, run);
}

template <class T>
void attention_forward(const AttentionForward<T>& args, const Execution& execution) {
  call(args, execution);
}
template <class T>
void attention_backward(const AttentionBackward<T>& args, const Execution& execution) {
  call(args, execution);
}
template <class T>
void attention_step(const AttentionStep<T>& args, const Execution& execution) {
  call(args, execution);
}
template <class T>
void attention_state(const AttentionState<T>& args, const Execution& execution) {
  call(args, execution);
}
template <class T>
void attention_state_backward(const AttentionStateBackward<T>& args, const Execution& execution) {
  call(args, execution);
}
template <class T>
void attention_read(const AttentionRead<T>& args, const Execution& execution) {
  call(args, execution);
}
template <class T>
void attention_read_backward(const AttentionReadBackward<T>& args, const Execution& execution) {
  call(args, execution);
}

}  // namespace cosformer::cuda
