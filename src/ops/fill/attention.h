#pragma once

#include <ATen/ops/zeros.h>

#include "ops/fill/operands.h"
#include "ops/operators.h"

/// What every operator that lets queries look at keys does: whole, packed and stateful. Device has
/// with_type() and the kernel library's functions.
namespace cosformer::ops {

/// The gradient of a result, zero where absent and `wanted`: kernels take both of a state or none.
inline Tensor state_gradient(const OptionalTensor& gradient, const Tensor& like, bool wanted) {
  if (present(gradient)) return gradient->contiguous();
  return wanted ? at::zeros(like.sizes(), like.options()) : Tensor();
}

template <class Device>
void fill_attention(const Call& call, const Shape& shape) {
  const Device device(call, shape);
  const Operands inputs(call, shape);
  // Kernels leave those of padded rows as they are.
  if (call.denominator.defined() && present(call.query_padding_mask)) call.denominator.zero_();
  device.with_type([&]<class T>(T) {
    AttentionForward<T> args;
    inputs.set<T>(args);
    args.output = view<T>(call.output);
    if (call.normalize) args.denominator = pointer<State<T>>(call.denominator);
    args.S_out = pointer<State<T>>(call.S_out);
    args.z_out = pointer<State<T>>(call.z_out);
    device.attention_forward(args);
  });
}

template <class Device>
void fill_attention_gradients(const Call& call, const Shape& shape) {
  const Device device(call, shape);
  const Operands inputs(call, shape);
  const bool of_state = present(call.dS_out) || present(call.dz_out);
  const Tensor dS_out = state_gradient(call.dS_out, call.S, of_state),
               dz_out = state_gradient(call.dz_out, call.z, of_state);
  const bool of_output = present(call.d_output);
  const auto output = unit_last_stride(call.output), denominator = call.denominator.contiguous();
  const auto d_output = of_output
                            ? unit_last_stride(*call.d_output)
                            : at::zeros({call.output.size(-1)}, call.output.options()).expand_as(call.output);
  device.with_type([&]<class T>(T) {
    AttentionBackward<T> args;
    inputs.set<T>(args);
    // The state's gradient alone needs no quotient, nor what the output holds.
    args.options.normalize = call.normalize && of_output;
    args.output = view<const T>(output);
    if (call.normalize) args.denominator = pointer<const State<T>>(denominator);
    args.d_output = view<const T>(d_output);
    args.dS_out = pointer<const State<T>>(dS_out);
    args.dz_out = pointer<const State<T>>(dz_out);
    args.d_query = view<T>(call.d_query);
    args.d_key = view<T>(call.d_key);
    args.d_value = view<T>(call.d_value);
    if (call.state_gradients) {
      args.dS = pointer<State<T>>(call.dS);
      args.dz = pointer<State<T>>(call.dz);
    }
    device.attention_backward(args);
  });
}

}  // namespace cosformer::ops
