#include "train/trainer.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <cmath>

#include "cosformer/nn/model_folder.h"
#include "nn/random_state.h"
#include "train/evaluation.h"
#include "train/generators.h"
#include "train/non_finite.h"
#include "train/replay.h"
#include "train/schedule.h"
#include "train/set_up.h"

namespace cosformer::train {
namespace {

/// Initial weights are drawn on the CPU: the same whatever the device.
nn::LanguageModel seeded_model(const Recipe& recipe, torch::Device device) {
  set_up_libtorch(recipe);
  torch::manual_seed(static_cast<uint64_t>(recipe.seed));
  nn::LanguageModel model(recipe.model);
  model->to(device);
  return model;
}

/// Ranks drop different values.
void seed_generators(const Recipe& recipe, const Team& team, int64_t step) {
  const auto rank = static_cast<uint64_t>(team.rank());
  torch::manual_seed(static_cast<uint64_t>(recipe.seed) + rank * 0x9E3779B97F4A7C15U +
                     static_cast<uint64_t>(step) * 0xBF58476D1CE4E5B9U);
}

}  // namespace

Trainer::Trainer(const Recipe& recipe, data::Sequences sequences, Team& team, GraphCapture graphs)
    : recipe_(recipe),
      team_(team),
      stream_(std::move(sequences), {recipe.train.batch_size, recipe.train.accumulation},
              static_cast<uint64_t>(recipe.seed)),
      model_(seeded_model(recipe, team.device())),
      optimizer_(model_->parameters(), recipe.optimizer) {
  begin_averages();
  model_->train();
  if (team.count() > 1) seed_generators(recipe, team, 0);
  if (recipe.train.cuda_graphs) captured_.emplace(model_, recipe, std::move(graphs));
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

Trainer::Step Trainer::step() {
  const int64_t number = steps_done_ + 1;
  const torch::Tensor random_state = nn::random_state(team_.device());
  Step step{0, 0, 0,
            learning_rate(recipe_.optimizer.learning_rate, recipe_.schedule, number, recipe_.train.steps)};
  team_.at_step(number);
  std::vector<data::Batch> batches = [&] {
    RECORD_USER_SCOPE("cosformer::data");
    return stream_.next();
  }();
  for (const data::Batch& batch : batches) step.predicted += batch.predicted;
  const std::vector<torch::Tensor> parameters = model_->parameters();
  nn::ForwardOptions options = forward_options(recipe_);
  options.divisor = step.predicted;
  torch::Tensor sum = torch::zeros({}, torch::dtype(torch::kFloat64).device(team_.device()));
  for (std::size_t i = 0; i < batches.size(); ++i) {
    data::Batch part = team_.share().of(batches[i]);
    if (captured_ && captured_->takes(step.predicted)) {
      sum.add_(captured_->run(part));
      continue;
    }
    const torch::Tensor loss = loss_of(model_, part, options, team_);
    sum.add_(loss.detach());
    team_.backward(loss, parameters, i + 1 == batches.size());
  }
  sum = sum.cpu();
  team_.sum(sum);
  step.loss = sum.item<double>();
  step.gradient_norm = optimizer_.clip_gradients();
  if (!std::isfinite(step.loss) || !std::isfinite(step.gradient_norm))
    throw non_finite(batches, random_state);
  optimizer_.step(step.learning_rate, number);
  steps_done_ = number;
  average_weights();
  return step;
}

NonFiniteError Trainer::non_finite(std::vector<data::Batch>& batches,
                                   const torch::Tensor& random_state_before) {
  model_->zero_grad();
  const torch::Tensor after = nn::random_state(team_.device());
  nn::set_random_state(random_state_before, team_.device());
  NamedTensors step = state();
  add_step(step, steps_done_ + 1, batches);
  std::optional<std::string> place;
  if (team_.is_first()) place = find_non_finite(model_, batches, forward_options(recipe_), steps_done_ + 1);
  nn::set_random_state(after, team_.device());
  return {place.value_or("step " + std::to_string(steps_done_ + 1) +
                         ": expected a finite loss and gradient, got another") +
              "; a smaller optimizer.learning_rate or optimizer.clip_norm may help",
          std::move(step)};
}

void Trainer::average_weights() {
  if (averages_.empty()) return;
  RECORD_USER_SCOPE("cosformer::optimizer");
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

NamedTensors Trainer::learned() const {
  NamedTensors tensors;
  const auto parameters = model_->named_parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    tensors.emplace_back("weights." + parameters[i].key(), parameters[i].value());
    if (!averages_.empty()) tensors.emplace_back("averages." + parameters[i].key(), averages_[i]);
    for (const Optimizer::Memory& memory : optimizer_.memories())
      tensors.emplace_back(memory.name + '.' + parameters[i].key(), memory.tensors[i]);
  }
  return tensors;
}

NamedTensors Trainer::state() const {
  NamedTensors tensors = learned();
  for (const torch::Device& device : generator_devices(team_.device()))
    tensors.emplace_back(generators_name(device), team_.gather(nn::random_state(device)));
  return tensors;
}

void Trainer::follow_first() {
  const torch::NoGradGuard no_gradients;
  for (const auto& [name, tensor] : learned()) team_.from_first({tensor});
}

void Trainer::restore(const std::vector<io::TensorBytes>& tensors, int64_t steps_done, int64_t data_position,
                      const std::string& place) {
  if (team_.is_first()) copy_from(tensors, learned(), place);
  follow_first();
  restore_generators(tensors, steps_done, place);
  steps_done_ = steps_done;
  stream_.seek(data_position);
}

void Trainer::restore_generators(const std::vector<io::TensorBytes>& tensors, int64_t steps_done,
                                 const std::string& place) {
  seed_generators(recipe_, team_, steps_done);
  for (const torch::Device& device : generator_devices(team_.device())) {
    const std::string rows = team_.from_first(team_.is_first() ? generator_rows(tensors, device, place) : "");
    set_generator(device, rows, team_.rank(), team_.count());
  }
}

}  // namespace cosformer::train
