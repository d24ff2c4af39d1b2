#include "train/evaluation.h"

#include <algorithm>
#include <numeric>

namespace cosformer::train {

static_assert(data::kNoTarget == nn::kNoTarget);

BatchTensors::BatchTensors(data::Batch& batch)
    : inputs(torch::from_blob(batch.inputs.data(), {batch.rows, batch.length}, torch::kInt64)),
      targets(torch::from_blob(batch.targets.data(), {batch.rows, batch.length}, torch::kInt64)) {}

double evaluate(nn::LanguageModel& model, const data::Sequences& sequences, int64_t rows) {
  const torch::NoGradGuard no_gradients;
  const bool was_training = model->is_training();
  model->eval();
  double sum = 0;
  for (int64_t begin = 0; begin < sequences.count(); begin += rows) {
    std::vector<int64_t> numbers(static_cast<std::size_t>(std::min(rows, sequences.count() - begin)));
    std::iota(numbers.begin(), numbers.end(), begin);
    data::Batch batch = sequences.batch(numbers);
    const BatchTensors tensors(batch);
    sum += model->loss(tensors.inputs, tensors.targets).item<double>() * static_cast<double>(batch.predicted);
  }
  model->train(was_training);
  return sum / static_cast<double>(sequences.predicted());
}

}  // namespace cosformer::train
