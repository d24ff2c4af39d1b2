#include <ATen/ops/zeros_like.h>
#include <torch/library.h>

#include "ops/cpu/operands.h"
#include "ops/cpu/run.h"
#include "ops/operators.h"

namespace cosformer::ops {
namespace {

void fill(const Call& call, const Shape& shape) {
  const Operands inputs(call, shape);
  with_type(storage_type(call), [&]<class T>(T) {
    cosformer::AttentionRead<T> args;
    inputs.set<T>(args);
    args.output = view<T>(call.output);
    if (call.normalize) args.denominator = pointer<State<T>>(call.denominator);
    attention_read(args, execution());
  });
}

void fill_gradients(const Call& call, const Shape& shape) {
  const Operands inputs(call, shape);
  const auto output = unit_last_stride(call.output), denominator = call.denominator.contiguous();
  const auto d_output = present(call.d_output) ? unit_last_stride(*call.d_output) : at::zeros_like(output);
  with_type(storage_type(call), [&]<class T>(T) {
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
    attention_read_backward(args, execution());
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention_read", Whole<op::AttentionRead>::kernel<fill>);
  library.impl("_attention_read_forward", Forward<op::AttentionRead>::kernel<fill>);
  library.impl("_attention_read_backward", Backward<op::AttentionRead>::kernel<fill_gradients>);
}

}  // namespace cosformer::ops
