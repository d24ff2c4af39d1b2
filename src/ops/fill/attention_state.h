#pragma once

#include "ops/fill/operands.h"
#include "ops/operators.h"

namespace cosformer::ops {

template <class Device>
void fill_state(const Call& call, const Shape& shape) {
  const Device device(call, shape);
  const Operands inputs(call, shape);
  device.with_type([&]<class T>(T) {
    cosformer::AttentionState<T> args;
    inputs.set<T>(args);
    args.S = pointer<State<T>>(call.S_out);
    args.z = pointer<State<T>>(call.z_out);
    device.attention_state(args);
  });
}

template <class Device>
void fill_state_gradients(const Call& call, const Shape& shape) {
  const Device device(call, shape);
  const Operands inputs(call, shape);
  const auto gradient = [&](const OptionalTensor& given, Tensor Call::*of) {
    if (present(given)) return given->contiguous();
    return new_result(call, shape, of).zero_();
  };
  const Tensor dS = gradient(call.dS_out, &Call::S_out), dz = gradient(call.dz_out, &Call::z_out);
  device.with_type([&]<class T>(T) {
    AttentionStateBackward<T> args;
    inputs.set<T>(args);
    args.dS = pointer<const State<T>>(dS);
    args.dz = pointer<const State<T>>(dz);
    args.d_key = view<T>(call.d_key);
    args.d_value = view<T>(call.d_value);
    device.attention_state_backward(args);
  });
}

}  // namespace cosformer::ops
