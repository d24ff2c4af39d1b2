#include <torch/library.h>

#include "ops/cpu/operands.h"
#include "ops/cpu/run.h"
#include "ops/operators.h"

namespace cosformer::ops {
namespace {

void fill(const Call& call, const Shape& shape) {
  const Operands inputs(call, shape);
  with_type(storage_type(call), [&]<class T>(T) {
    cosformer::AttentionState<T> args;
    inputs.set<T>(args);
    args.S = pointer<State<T>>(call.S_out);
    args.z = pointer<State<T>>(call.z_out);
    attention_state(args, execution());
  });
}

void fill_gradients(const Call& call, const Shape& shape) {
  const Operands inputs(call, shape);
  const auto gradient = [&](const OptionalTensor& given, Tensor Call::*of) {
    if (present(given)) return given->contiguous();
    return new_result(call, shape, of).zero_();
  };
  const Tensor dS = gradient(call.dS_out, &Call::S_out), dz = gradient(call.dz_out, &Call::z_out);
  with_type(storage_type(call), [&]<class T>(T) {
    AttentionStateBackward<T> args;
    inputs.set<T>(args);
    args.dS = pointer<const State<T>>(dS);
    args.dz = pointer<const State<T>>(dz);
    args.d_key = view<T>(call.d_key);
    args.d_value = view<T>(call.d_value);
    attention_state_backward(args, execution());
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention_state", Whole<op::AttentionState>::kernel<fill>);
  library.impl("_attention_state_forward", Forward<op::AttentionState>::kernel<fill>);
  library.impl("_attention_state_backward", Backward<op::AttentionState>::kernel<fill_gradients>);
}

}  // namespace cosformer::ops
