#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include "ops/call.h"

/// What a call's backward pass needs of it, kept in the graph.
namespace cosformer::ops {

void save(torch::autograd::AutogradContext& context, const Call& call);

/// The names in it live as long as the context.
Call saved_call(torch::autograd::AutogradContext& context);

}  // namespace cosformer::ops
