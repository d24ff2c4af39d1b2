#include <torch/library.h>

#include "ops/cpu/operands.h"
#include "ops/cpu/run.h"
#include "ops/operators.h"

namespace cosformer::ops {
namespace {

void check_in_place(const Call& call, const char* name, const Tensor& tensor) {
  TORCH_CHECK_VALUE(tensor.is_contiguous(), call.name, ": ", name,
                    " must be contiguous, since it is advanced in place, got sizes ", tensor.sizes(),
                    ", strides ", tensor.strides());
}

void fill(const Call& call, const Shape& shape) {
  check_one_token(call, shape);
  check_in_place(call, "S", call.S);
  check_in_place(call, "z", call.z);
  check_in_place(call, "position", call.position);
  const Operands inputs(call, shape);
  with_type(storage_type(call), [&]<class T>(T) {
    cosformer::AttentionStep<T> args;
    inputs.set<T>(args);
    args.output = view<T>(call.output);
    args.S = pointer<State<T>>(call.S);
    args.z = pointer<State<T>>(call.z);
    attention_step(args, execution());
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention_step_", Whole<op::AttentionStep>::kernel<fill>);
}

}  // namespace cosformer::ops
