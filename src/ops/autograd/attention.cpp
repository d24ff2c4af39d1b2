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

constexpr const char* kName = "attention";

struct Function : torch::autograd::Function<Function> {
  static Tensor forward(AutogradContext* context, const Tensor& query, const Tensor& key, const Tensor& value,
                        OptionalInt horizon, bool causal, std::string_view feature_map, double eps) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    static const auto op = find_operator<signature::AttentionForward>("cosformer::_attention_forward");
    const auto [output, denominator] = op.call(query, key, value, horizon, causal, feature_map, eps);
    context->save_for_backward({query, key, value, output, denominator});
    context->saved_data["horizon"] = horizon;
    context->saved_data["causal"] = causal;
    context->saved_data["feature_map"] = std::string(feature_map);
    context->saved_data["eps"] = eps;
    return output;
  }

  static variable_list backward(AutogradContext* context, const variable_list& d_outputs) {
    static const auto op = find_operator<signature::AttentionBackward>("cosformer::_attention_backward");
    const auto saved = context->get_saved_variables();
    auto& data = context->saved_data;
    const auto [d_query, d_key, d_value] = op.call(
        d_outputs[0], saved[0], saved[1], saved[2], saved[3], saved[4], data["horizon"].toOptional<int64_t>(),
        data["causal"].toBool(), data["feature_map"].toStringRef(), data["eps"].toDouble());
    return {d_query, d_key, d_value, {}, {}, {}, {}};
  }
};

Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, OptionalInt horizon,
                 bool causal, const OptionalTensor& query_padding_mask,
                 const OptionalTensor& key_padding_mask, const OptionalTensor& decay,
                 std::string_view feature_map, bool normalize, double eps) {
  check_supported(kName, query_padding_mask, key_padding_mask, decay, normalize);
  check_attention(kName, query, key, value, {horizon, causal, feature_map, eps});
  if (needs_derivative({query, key, value})) {
    return Function::apply(query, key, value, horizon, causal, feature_map, eps);
  }
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  static const auto op = find_operator<signature::Attention>("cosformer::attention");
  return op.call(query, key, value, horizon, causal, query_padding_mask, key_padding_mask, decay, feature_map,
                 normalize, eps);
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, Autograd, library) {
  library.impl("attention", attention);
  // A derivative of these is refused by name.
  library.impl("_attention_forward", torch::autograd::autogradNotImplementedFallback());
  library.impl("_attention_backward", torch::autograd::autogradNotImplementedFallback());
}

}  // namespace cosformer::ops
