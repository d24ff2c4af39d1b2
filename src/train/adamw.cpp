#include "train/adamw.h"

namespace cosformer::train {

AdamW::AdamW(std::vector<torch::Tensor> parameters, const OptimizerRecipe& recipe)
    : parameters_(std::move(parameters)), recipe_(recipe) {
  for (const torch::Tensor& parameter : parameters_) {
    first_moments_.push_back(torch::zeros_like(parameter));
    second_moments_.push_back(torch::zeros_like(parameter));
  }
}

double AdamW::clip_gradients() const {
  double squares = 0;
  for (const torch::Tensor& parameter : parameters_) {
    const double norm = at::linalg_vector_norm(parameter.grad(), 2).item<double>();
    squares += norm * norm;
  }
  const double norm = std::sqrt(squares);
  if (recipe_.clip_norm > 0 && norm > recipe_.clip_norm) {
    for (const torch::Tensor& parameter : parameters_) parameter.grad().mul_(recipe_.clip_norm / norm);
  }
  return norm;
}

void AdamW::step(double rate, int64_t t) {
  const torch::NoGradGuard no_gradients;
  for (const bool matrices : {true, false}) {
    std::vector<torch::Tensor> weights, gradients, first, second, steps;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if ((parameters_[i].dim() >= 2) != matrices) continue;
      weights.push_back(parameters_[i]);
      gradients.push_back(parameters_[i].grad());
      first.push_back(first_moments_[i]);
      second.push_back(second_moments_[i]);
      steps.push_back(torch::tensor(static_cast<double>(t), torch::kFloat32));
    }
    if (weights.empty()) continue;
    at::_fused_adamw_(weights, gradients, first, second, {}, steps, rate, recipe_.beta1, recipe_.beta2,
                      matrices ? recipe_.weight_decay : 0, recipe_.eps, false, false);
  }
  for (torch::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
}

}  // namespace cosformer::train
