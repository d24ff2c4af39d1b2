#include "train/captured_pass.h"

#include <cstdlib>
#include <string_view>

#include "train/evaluation.h"
#include "train/set_up.h"

namespace cosformer::train {
namespace {

/// Kernels are loaded and workspaces there after one; two more for what a library tries out first.
constexpr int kWarmUps = 3;

}  // namespace

CapturedPass::CapturedPass(nn::LanguageModel model, const Recipe& recipe, GraphCapture graphs)
    : model_(std::move(model)),
      graphs_(std::move(graphs)),
      options_(forward_options(recipe)),
      parameters_(model_->parameters()) {
  const char* check = std::getenv("COSFORMER_CHECK");
  if (check && std::string_view(check) == "1") {
    throw RecipeError(
        "train.cuda_graphs: expected false with COSFORMER_CHECK=1 in the environment, by which operators "
        "wait for the GPU, got true");
  }
  const TrainRecipe& train = recipe.train;
  options_.divisor = train.accumulation * train.batch_size * train.sequence_length;
  for (const torch::Tensor& parameter : parameters_) gradients_.push_back(torch::zeros_like(parameter));
  const auto tokens = torch::dtype(torch::kInt64).device(model_->device());
  inputs_ = torch::empty({train.batch_size, train.sequence_length}, tokens);
  targets_ = torch::empty_like(inputs_);
  loss_ = torch::empty({}, tokens.dtype(torch::kFloat32));
}

const torch::Tensor& CapturedPass::run(data::Batch& batch) {
  begin_gradients();
  const BatchTensors tensors(batch, inputs_.device());
  inputs_.copy_(tensors.inputs);
  targets_.copy_(tensors.targets);
  const auto work = [this] { compute(); };
  if (warm_ups_ < kWarmUps) {
    ++warm_ups_;
    graphs_.warm_up(work);
    return loss_;
  }
  if (!replay_) replay_ = graphs_.capture(work);
  replay_();
  return loss_;
}

void CapturedPass::compute() {
  const torch::Tensor loss = model_->loss(inputs_, targets_, options_);
  loss_.copy_(loss.detach());
  loss.backward();
}

void CapturedPass::begin_gradients() {
  if (parameters_.front().grad().defined()) return;
  at::_foreach_zero_(gradients_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].mutable_grad() = gradients_[i];
}

}  // namespace cosformer::train
