#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "ops/arguments.h"
#include "ops/autograd/differentiable.h"
#include "ops/signatures.h"

namespace cosformer::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr const char* kName = "attention_stateful";

OptionalTensor if_defined(const Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
}

struct Function : torch::autograd::Function<Function> {
  static variable_list forward(AutogradContext* context, const Tensor& query, const Tensor& key,
                               const Tensor& value, const Tensor& S, const Tensor& z, const Tensor& position,
                               OptionalInt horizon, std::string_view feature_map, double eps) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    static const auto op =
        find_operator<signature::AttentionStatefulForward>("cosformer::_attention_stateful_forward");
    const auto [output, denominator, S_out, z_out, position_out] =
        op.call(query, key, value, S, z, position, horizon, feature_map, eps);
    // A state that leads nowhere has no gradient; the backward operator then skips it.
    context->set_materialize_grads(false);
    context->save_for_backward({query, key, value, S, z, position, output, denominator});
    context->saved_data["horizon"] = horizon;
    context->saved_data["feature_map"] = std::string(feature_map);
    context->saved_data["eps"] = eps;
    return {output, S_out, z_out, position_out};
  }

  static variable_list backward(AutogradContext* context, const variable_list& d_outputs) {
    static const auto op =
        find_operator<signature::AttentionStatefulBackward>("cosformer::_attention_stateful_backward");
    const auto saved = context->get_saved_variables();
    auto& data = context->saved_data;
    const auto [d_query, d_key, d_value, dS, dz] = op.call(
        if_defined(d_outputs[0]), if_defined(d_outputs[1]), if_defined(d_outputs[2]), saved[0], saved[1],
        saved[2], saved[3], saved[4], saved[5], saved[6], saved[7], data["horizon"].toOptional<int64_t>(),
        data["feature_map"].toStringRef(), data["eps"].toDouble());
    return {d_query, d_key, d_value, dS, dz, {}, {}, {}, {}};
  }
};

FourTensors attention_stateful(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& S,
                               const Tensor& z, const Tensor& position, OptionalInt horizon,
                               const OptionalTensor& padding_mask, const OptionalTensor& decay,
                               std::string_view feature_map, bool normalize, double eps) {
  const Options options{horizon, true, feature_map, eps};
  check_supported(kName, padding_mask, std::nullopt, decay, normalize);
  check_attention(kName, query, key, value, options);
  check_state(kName, query, value, S, z, position, options);
  if (needs_derivative({query, key, value, S, z})) {
    auto results = Function::apply(query, key, value, S, z, position, horizon, feature_map, eps);
    return {results[0], results[1], results[2], results[3]};
  }
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  static const auto op = find_operator<signature::AttentionStateful>("cosformer::attention_stateful");
  return op.call(query, key, value, S, z, position, horizon, padding_mask, decay, feature_map, normalize,
                 eps);
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, Autograd, library) {
  library.impl("attention_stateful", attention_stateful);
  // A derivative of these is refused by name.
  library.impl("_attention_stateful_forward", torch::autograd::autogradNotImplementedFallback());
  library.impl("_attention_stateful_backward", torch::autograd::autogradNotImplementedFallback());
}

}  // namespace cosformer::ops
