#pragma once

#include <ATen/ops/zeros_like.h>

#include "ops/fill/operands.h"
#include "ops/operators.h"

namespace cosformer::ops {

template <class Device>
void fill_read(const Call& call, const Shape& shape) {
  const Device device(call, shape);
  const Operands inputs(call, shape);
  device.with_type([&]<class T>(T) {
    cosformer::AttentionRead<T> args;
    inputs.set<T>(args);
    args.output = view<T>(call.output);
    if (call.normalize) args.denominator = pointer<State<T>>(call.denominator);
    device.attention_read(args);
  });
}

template <class Device>
void fill_read_gradients(const Call& call, const Shape& shape) {
  const Device device(call, shape);
  const Operands inputs(call, shape);
  const auto output = unit_last_stride(call.output), denominator = call.denominator.contiguous();
  const auto d_output = present(call.d_output) ? unit_last_stride(*call.d_output) : at::zeros_like(output);
  device.with_type([&]<class T>(T) {
    AttentionReadBackward<T> args;
    inputs.set<T>(args);
    args.output = view<const T>(output);
    if (call.normalize) args.denominator = pointer<const State<T>>(denominator);
    args.d_output = view<const T>(d_output);
    args.d_query = view<T>(call.d_query);
    if (call.state_gradients) {
      args.dS = pointer<State<T>>(call.dS);
      args.dz = pointer<State<T>>(call.dz);
    }
    device.attention_read_backward(args);
  });
}

}  // namespace cosformer::ops
