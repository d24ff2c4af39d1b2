#include "ops/autograd/saved_call.h"

namespace cosformer::ops {
namespace {

// Absent ones are saved as undefined tensors.
constexpr Tensor Call::*kTensors[] = {
    &Call::query, &Call::key, &Call::value,    &Call::cu_seqlens_q, &Call::cu_seqlens_k,
    &Call::S,     &Call::z,   &Call::position, &Call::output,       &Call::denominator};
constexpr OptionalTensor Call::*kOptionalTensors[] = {&Call::query_padding_mask, &Call::key_padding_mask,
                                                      &Call::decay};

/// The place of z's or S's edge among those of defined inputs.
bool state_needs_gradient(const torch::autograd::AutogradContext& context, const Call& call) {
  if (!call.S.defined()) return false;
  size_t edge = 0;
  for (const Tensor* before : {&call.query, &call.key, &call.value}) edge += before->defined() ? 1 : 0;
  return context.needs_input_grad(edge) || context.needs_input_grad(edge + 1);
}

}  // namespace

void save(torch::autograd::AutogradContext& context, const Call& call) {
  torch::autograd::variable_list tensors;
  for (const auto member : kTensors) tensors.push_back(call.*member);
  for (const auto member : kOptionalTensors) tensors.push_back((call.*member).value_or(Tensor()));
  context.save_for_backward(std::move(tensors));
  auto& data = context.saved_data;
  data["horizon"] = call.horizon;
  data["causal"] = call.causal;
  data["feature_map"] = std::string(call.feature_map);
  data["normalize"] = call.normalize;
  data["eps"] = call.eps;
}

Call saved_call(torch::autograd::AutogradContext& context) {
  Call call;
  const auto tensors = context.get_saved_variables();
  auto next = tensors.begin();
  for (const auto member : kTensors) call.*member = *next++;
  for (const auto member : kOptionalTensors) call.*member = *next++;
  auto& data = context.saved_data;
  call.horizon = data["horizon"].toOptional<int64_t>();
  call.causal = data["causal"].toBool();
  call.feature_map = data["feature_map"].toStringRef();
  call.normalize = data["normalize"].toBool();
  call.eps = data["eps"].toDouble();
  call.state_gradients = state_needs_gradient(context, call);
  return call;
}

}  // namespace cosformer::ops
