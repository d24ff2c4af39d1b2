#include "train/evaluation.h"

#include <algorithm>
#include <numeric>

namespace cosformer::train {

static_assert(data::kNoTarget == nn::kNoTarget);

BatchTensors::BatchTensors(data::Batch& batch)
    : inputs(torch::from_blob(batch.inputs.data(), {batch.rows, batch.length}, torch::kInt64)),
      targets(torch::from_blob(batch.targets.data(), {batch.rows, batch.length}, torch::kInt64)) {}

torch::Tensor loss_of(nn::LanguageModel& model, data::Batch& part, nn::ForwardOptions options,
                      const Team& team) {
  const BatchTensors tensors(part);
  options.split = team.split();
  return model->loss(tensors.inputs, tensors.targets, options);
}

double evaluate(nn::LanguageModel& model, const data::Sequences& sequences, int64_t rows, Team& team,
                nn::Precision precision) {
  const torch::NoGradGuard no_gradients;
  const bool was_training = model->is_training();
  model->eval();
  const torch::Tensor sum = torch::zeros({}, torch::kFloat64);
  for (int64_t begin = 0; begin < sequences.count(); begin += rows) {
    std::vector<int64_t> numbers(static_cast<std::size_t>(std::min(rows, sequences.count() - begin)));
    std::iota(numbers.begin(), numbers.end(), begin);
    data::Batch part = team.share().of(sequences.batch(numbers));
    if (part.rows > 0) sum.add_(loss_of(model, part, {.precision = precision, .divisor = 1}, team));
  }
  model->train(was_training);
  team.sum(sum);
  return sum.item<double>() / static_cast<double>(sequences.predicted());
}

double evaluate(nn::LanguageModel& model, const data::Sequences& sequences, int64_t rows,
                nn::Precision precision) {
  Team alone;
  return evaluate(model, sequences, rows, alone, precision);
}

}  // namespace cosformer::train
