#include "train/trainer.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "cosformer/nn/model_folder.h"
#include "train/evaluation.h"
#include "train/schedule.h"

namespace cosformer::train {
namespace {

nn::LanguageModel seeded_model(const Recipe& recipe) {
  at::set_num_threads(static_cast<int>(recipe.threads));
  at::globalContext().setDeterministicAlgorithms(true, false);
  // Nothing here reads memory that it has not written.
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  torch::manual_seed(static_cast<uint64_t>(recipe.seed));
  return nn::LanguageModel(recipe.model);
}

constexpr const char* kGenerator = "generator.cpu";

torch::Tensor generator_state() {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return generator.get_state();
}

void set_generator_state(const torch::Tensor& state) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_state(state);
}

void require_finite(double value, const char* what, int64_t step) {
  if (std::isfinite(value)) return;
  std::ostringstream message;
  message << "step " << step << ": expected a finite " << what << ", got " << value
          << "; a smaller optimizer.learning_rate or optimizer.clip_norm may help";
  throw TrainingError(message.str());
}

}  // namespace

Trainer::Trainer(const Recipe& recipe, data::Sequences sequences)
    : recipe_(recipe),
      sequences_(std::move(sequences)),
      order_(sequences_.count(), static_cast<uint64_t>(recipe.seed)),
      model_(seeded_model(recipe)),
      optimizer_(model_->parameters(), recipe.optimizer) {
  begin_averages();
  model_->train();
}

std::vector<std::string> Trainer::load_fitting_weights(const std::filesystem::path& file) {
  const std::vector<std::string> misfits = nn::load_fitting_weights(*model_, file);
  begin_averages();
  return misfits;
}

void Trainer::begin_averages() {
  averages_.clear();
  if (recipe_.train.average_decay == 0) return;
  for (const torch::Tensor& parameter : model_->parameters()) averages_.push_back(parameter.detach().clone());
}

std::vector<data::Batch> Trainer::next_batches() {
  std::vector<data::Batch> batches;
  std::vector<int64_t> numbers(static_cast<std::size_t>(recipe_.train.batch_size));
  for (int64_t i = 0; i < recipe_.train.accumulation; ++i) {
    for (int64_t& number : numbers) number = order_.at(data_position_++);
    batches.push_back(sequences_.batch(numbers));
  }
  return batches;
}

Trainer::Step Trainer::step() {
  const int64_t number = steps_done_ + 1;
  Step step{0, 0, 0,
            learning_rate(recipe_.optimizer.learning_rate, recipe_.schedule, number, recipe_.train.steps)};
  std::vector<data::Batch> batches = next_batches();
  for (const data::Batch& batch : batches) step.predicted += batch.predicted;
  for (data::Batch& batch : batches) {
    const BatchTensors tensors(batch);
    const double share = static_cast<double>(batch.predicted) / static_cast<double>(step.predicted);
    const torch::Tensor loss = model_->loss(tensors.inputs, tensors.targets, recipe_.train.label_smoothing);
    step.loss += share * loss.item<double>();
    (loss * share).backward();
  }
  require_finite(step.loss, "loss", number);
  step.gradient_norm = optimizer_.clip_gradients();
  require_finite(step.gradient_norm, "gradient", number);
  optimizer_.step(step.learning_rate, number);
  steps_done_ = number;
  average_weights();
  return step;
}

void Trainer::average_weights() {
  if (averages_.empty()) return;
  const torch::NoGradGuard no_gradients;
  // Early averages forget the initial weights sooner.
  const auto steps = static_cast<double>(steps_done_);
  const double decay = std::min(recipe_.train.average_decay, (1 + steps) / (10 + steps));
  at::_foreach_lerp_(averages_, model_->parameters(), 1 - decay);
}

void Trainer::swap_weights() {
  const std::vector<torch::Tensor> parameters = model_->parameters();
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    const torch::Tensor weights = parameters[i].detach();
    parameters[i].set_data(averages_[i]);
    averages_[i] = weights;
  }
}

NamedTensors Trainer::state() const {
  NamedTensors tensors;
  const auto parameters = model_->named_parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    tensors.emplace_back("weights." + parameters[i].key(), parameters[i].value());
    if (!averages_.empty()) tensors.emplace_back("averages." + parameters[i].key(), averages_[i]);
    for (const Optimizer::Memory& memory : optimizer_.memories())
      tensors.emplace_back(memory.name + '.' + parameters[i].key(), memory.tensors[i]);
  }
  tensors.emplace_back(kGenerator, generator_state());
  return tensors;
}

void Trainer::restore(const std::vector<io::TensorBytes>& tensors, int64_t steps_done, int64_t data_position,
                      const std::string& place) {
  const NamedTensors own = state();
  copy_from(tensors, own, place);
  set_generator_state(own.back().second);
  steps_done_ = steps_done;
  data_position_ = data_position;
}

}  // namespace cosformer::train
