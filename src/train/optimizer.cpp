#include "train/optimizer.h"

#include <ATen/record_function.h>

namespace cosformer::train {
namespace {

std::vector<torch::Tensor> part(const std::vector<torch::Tensor>& all,
                                const std::vector<std::size_t>& group) {
  std::vector<torch::Tensor> tensors;
  for (const std::size_t i : group) tensors.push_back(all[i]);
  return tensors;
}

}  // namespace

Optimizer::Optimizer(std::vector<torch::Tensor> parameters, const OptimizerRecipe& recipe)
    : parameters_(std::move(parameters)), recipe_(recipe) {
  const bool nag = recipe_.kind == "nag";
  for (const char* name : {"first_moments", "second_moments"}) {
    Memory memory{nag ? "momentum" : name, {}};
    for (const torch::Tensor& parameter : parameters_) memory.tensors.push_back(torch::zeros_like(parameter));
    memories_.push_back(std::move(memory));
    if (nag) break;
  }
}

double Optimizer::clip_gradients() const {
  RECORD_USER_SCOPE("cosformer::optimizer");
  const auto norm = [&] {
    std::vector<torch::Tensor> norms;
    for (const torch::Tensor& parameter : parameters_)
      norms.push_back(at::linalg_vector_norm(parameter.grad(), 2));
    // All at once: a GPU is waited for once.
    const torch::Tensor of_each = at::stack(norms).cpu();
    double squares = 0;
    for (int64_t i = 0; i < of_each.numel(); ++i) {
      const double of_one = of_each.const_data_ptr<float>()[i];
      squares += of_one * of_one;
    }
    return std::sqrt(squares);
  };
  const double before = norm();
  double now = before;
  if (recipe_.clip_value > 0) {
    // A NaN stays one.
    for (const torch::Tensor& parameter : parameters_)
      parameter.grad().clamp_(-recipe_.clip_value, recipe_.clip_value);
    now = norm();
  }
  if (recipe_.clip_norm > 0 && now > recipe_.clip_norm) {
    for (const torch::Tensor& parameter : parameters_) parameter.grad().mul_(recipe_.clip_norm / now);
  }
  return before;
}

void Optimizer::step_group(const std::vector<std::size_t>& group, double decay, double rate, int64_t t) {
  const std::vector<torch::Tensor> weights = part(parameters_, group);
  std::vector<torch::Tensor> gradients;
  for (const torch::Tensor& weight : weights) gradients.push_back(weight.grad());
  const auto on_device = weights.front().options();
  const std::vector<torch::Tensor> steps(weights.size(), at::full({}, static_cast<double>(t), on_device));
  const std::vector<torch::Tensor> first = part(memories_[0].tensors, group);
  if (recipe_.kind == "nag") {
    if (decay > 0) at::_foreach_mul_(weights, 1 - rate * decay);
    const bool keeps = recipe_.momentum > 0;  // else LibTorch takes no memory of it
    at::_fused_sgd_(weights, gradients, keeps ? first : std::vector<torch::Tensor>(), 0, recipe_.momentum,
                    rate, 0, keeps, false, false);
    return;
  }
  const std::vector<torch::Tensor> second = part(memories_[1].tensors, group);
  if (recipe_.kind == "adam") {
    at::_fused_adam_(weights, gradients, first, second, {}, steps, rate, recipe_.beta1, recipe_.beta2, decay,
                     recipe_.eps, false, false);
  } else {
    at::_fused_adamw_(weights, gradients, first, second, {}, steps, rate, recipe_.beta1, recipe_.beta2, decay,
                      recipe_.eps, false, false);
  }
}

void Optimizer::step(double rate, int64_t t) {
  RECORD_USER_SCOPE("cosformer::optimizer");
  const torch::NoGradGuard no_gradients;
  std::vector<std::size_t> decaying, others;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const bool decays = recipe_.decay == "all" || parameters_[i].dim() >= 2;
    (decays ? decaying : others).push_back(i);
  }
  if (!decaying.empty()) step_group(decaying, recipe_.weight_decay, rate, t);
  if (!others.empty()) step_group(others, 0, rate, t);
  for (torch::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
}

}  // namespace cosformer::train
