#pragma once

#include "ops/fill/operands.h"
#include "ops/operators.h"

namespace cosformer::ops {

inline void check_in_place(const Call& call, const char* name, const Tensor& tensor) {
  TORCH_CHECK_VALUE(tensor.is_contiguous(), call.name, ": ", name,
                    " must be contiguous, since it is advanced in place, got sizes ", tensor.sizes(),
                    ", strides ", tensor.strides());
}

template <class Device>
void fill_step(const Call& call, const Shape& shape) {
  check_one_token(call, shape);
  check_in_place(call, "S", call.S);
  check_in_place(call, "z", call.z);
  check_in_place(call, "position", call.position);
  const Device device(call, shape);
  const Operands inputs(call, shape);
  device.with_type([&]<class T>(T) {
    cosformer::AttentionStep<T> args;
    inputs.set<T>(args);
    args.output = view<T>(call.output);
    args.S = pointer<State<T>>(call.S);
    args.z = pointer<State<T>>(call.z);
    device.attention_step(args);
  });
}

}  // namespace cosformer::ops
