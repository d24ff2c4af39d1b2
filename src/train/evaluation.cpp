#include "train/evaluation.h"

#include <algorithm>
#include <numeric>

namespace cosformer::train {

static_assert(data::kNoTarget == nn::kNoTarget);

namespace {

torch::Tensor tensor(std::vector<int64_t>& tokens, const data::Batch& batch, torch::Device device) {
  const torch::Tensor shared = torch::from_blob(tokens.data(), {batch.rows, batch.length}, torch::kInt64);
  // From pinned memory the copy does not wait for what the GPU does.
  return device.is_cpu() ? shared : shared.pin_memory().to(device, true);
}

}  // namespace

BatchTensors::BatchTensors(data::Batch& batch, torch::Device device)
    : inputs(tensor(batch.inputs, batch, device)), targets(tensor(batch.targets, batch, device)) {}

torch::Tensor loss_of(nn::LanguageModel& model, data::Batch& part, nn::ForwardOptions options,
                      const Team& team) {
  const BatchTensors tensors(part, model->device());
  options.split = team.split();
  return model->loss(tensors.inputs, tensors.targets, options);
}

double evaluate(nn::LanguageModel& model, const data::Sequences& sequences, int64_t rows, Team& team,
                nn::Precision precision) {
  const torch::NoGradGuard no_gradients;
  const bool was_training = model->is_training();
  model->eval();
  torch::Tensor sum = torch::zeros({}, torch::dtype(torch::kFloat64).device(model->device()));
  for (int64_t begin = 0; begin < sequences.count(); begin += rows) {
    std::vector<int64_t> numbers(static_cast<std::size_t>(std::min(rows, sequences.count() - begin)));
    std::iota(numbers.begin(), numbers.end(), begin);
    data::Batch part = team.share().of(sequences.batch(numbers));
    if (part.rows > 0) sum.add_(loss_of(model, part, {.precision = precision, .divisor = 1}, team));
  }
  model->train(was_training);
  sum = sum.cpu();
  team.sum(sum);
  return sum.item<double>() / static_cast<double>(sequences.predicted());
}

double evaluate(nn::LanguageModel& model, const data::Sequences& sequences, int64_t rows,
                nn::Precision precision) {
  Team alone;
  return evaluate(model, sequences, rows, alone, precision);
}

}  // namespace cosformer::train
