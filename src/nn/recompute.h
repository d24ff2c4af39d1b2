#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

namespace cosformer::nn {

/// function(x), of which autograd keeps x alone: the backward pass computes the function again, with the
/// random numbers and autocast of the first time, and so gives the same bits as without. Memory of the
/// function's own intermediates then exists once, for whichever call is at work, at the cost of a second
/// forward.
///
/// Gradients of `parameters` leave through the graph as those of x do: each is accumulated once a backward
/// pass by its own AccumulateGrad, so that hooks on it (c10d's Reducer) see what they see without.
/// @param x          may do without a gradient, if a parameter has one
/// @param parameters all that the function reads and that has a gradient
/// No second derivative.
torch::Tensor recompute(std::function<torch::Tensor(const torch::Tensor&)> function, const torch::Tensor& x,
                        const std::vector<torch::Tensor>& parameters);

}  // namespace cosformer::nn
