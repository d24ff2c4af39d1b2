#include "train/scaling.h"

#include <algorithm>

#include "train/ranks/buckets.h"

namespace cosformer::train {
namespace {

double forward_passes(const TrainRecipe& train) {
  return train.recompute ? 2 : 1;
}

}  // namespace

nn::TrainingSize training_size(const Recipe& recipe, int64_t rows, int64_t length) {
  const TrainRecipe& train = recipe.train;
  return {.rows = rows,
          .length = length,
          .accumulation = train.accumulation,
          .copies = (recipe.optimizer.kind == "nag" ? 1 : 2) + (train.average_decay > 0 ? 1 : 0),
          .precision = train.precision == "bfloat16" ? nn::Precision::kBfloat16 : nn::Precision::kFloat32,
          .recompute = train.recompute};
}

double operations_per_token(const Recipe& recipe) {
  // Backward costs as much as two forwards.
  return nn::training_operations(recipe.model, recipe.train.sequence_length).total() *
         (2 + forward_passes(recipe.train)) / 3;
}

StepCosts step_costs(const Recipe& recipe, int64_t ranks, const RankMachine& machine) {
  const TrainRecipe& train = recipe.train;
  const nn::LanguageModelConfig& model = recipe.model;
  const auto n = static_cast<double>(ranks), stretches = static_cast<double>(train.sequence_ranks);
  const int64_t groups = ranks / train.sequence_ranks;
  const int64_t rows = (train.batch_size + groups - 1) / groups;  // of the rank that has most
  const auto passes = static_cast<double>(train.accumulation);
  const double tokens = static_cast<double>(rows * train.sequence_length) / stretches * passes;
  StepCosts costs;
  const double forwards = forward_passes(train);
  costs.compute = operations_per_token(recipe) * tokens / machine.rate;
  costs.memory =
      nn::training_memory(model, training_size(recipe, rows, train.sequence_length / train.sequence_ranks))
          .peak;
  if (ranks == 1) return costs;

  // A ring: each bucket goes round twice, once to be summed and once to be told.
  const double weights = 4 * static_cast<double>(nn::parameters(model).total());
  const double buckets = std::max(1.0, weights / static_cast<double>(kBucketBytes));
  costs.gradient_bytes = 2 * (n - 1) / n * weights;
  costs.gradients = costs.gradient_bytes / machine.link + 2 * (n - 1) * buckets * machine.latency;
  // Backward is two thirds of the last micro batch or more; the last bucket has nothing to hide behind.
  const double backward = costs.compute / passes * (1 + forwards) / (2 + forwards);
  costs.not_hidden = std::max(costs.gradients - backward, costs.gradients / buckets);

  if (train.sequence_ranks > 1) {
    const auto layers = static_cast<double>(model.layers), width = static_cast<double>(model.width);
    const double state = static_cast<double>(nn::decoder_state_bytes(model, 0) * rows) / layers;
    const double rounds = (1 + forwards) * layers * passes;  // forward and backward
    costs.state_bytes = rounds * (stretches - 1) * state;
    costs.states = costs.state_bytes / machine.link + rounds * (stretches - 1) * machine.latency;
    const double keys_and_values =
        2 * 4 * width * static_cast<double>(rows * train.sequence_length) / stretches;
    costs.ring_attention_bytes = 3 * layers * passes * (stretches - 1) * keys_and_values;
  }
  return costs;
}

}  // namespace cosformer::train
