#include "train/replay.h"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "cosformer/error.h"
#include "cosformer/nn/model_folder.h"
#include "nn/random_state.h"
#include "train/device.h"
#include "train/generators.h"
#include "train/non_finite.h"
#include "train/run_folder.h"
#include "train/set_up.h"
#include "train/trainer.h"

namespace cosformer::train {
namespace {

torch::Tensor copy(const std::vector<int64_t>& values, std::vector<int64_t> shape) {
  return torch::tensor(values, torch::kInt64).view(shape);
}

/// @throws FormatError if there is none such
std::vector<int64_t> numbers(const io::Safetensors& file, const std::string& name,
                             const std::vector<int64_t>& shape, const std::string& place) {
  for (const io::TensorBytes& tensor : file.tensors()) {
    if (tensor.name != name || tensor.dtype != "I64" || tensor.shape != shape) continue;
    std::vector<int64_t> values(tensor.bytes.size() / sizeof(int64_t));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }
  std::ostringstream expected;
  expected << at::IntArrayRef(shape);
  throw FormatError(place + ": " + name + ": expected a tensor I64 " + expected.str() + ", got none");
}

/// @throws FormatError
void check_tokens(const std::vector<int64_t>& tokens, int64_t vocabulary_size, bool may_lack,
                  const std::string& place) {
  for (const int64_t token : tokens) {
    if ((token >= 0 && token < vocabulary_size) || (may_lack && token == data::kNoTarget)) continue;
    throw FormatError(place + ": expected tokens from 0 to " + std::to_string(vocabulary_size - 1) +
                      ", got " + std::to_string(token));
  }
}

std::vector<data::Batch> batches_of(const io::Safetensors& file, const Recipe& recipe,
                                    int64_t vocabulary_size, const std::string& place) {
  std::vector<data::Batch> batches;
  for (int64_t i = 0; i < recipe.train.accumulation; ++i) {
    const std::string inputs = "inputs." + std::to_string(i), targets = "targets." + std::to_string(i);
    data::Batch batch;
    batch.rows = recipe.train.batch_size;
    batch.length = recipe.train.sequence_length;
    batch.inputs = numbers(file, inputs, {batch.rows, batch.length}, place);
    batch.targets = numbers(file, targets, {batch.rows, batch.length}, place);
    check_tokens(batch.inputs, vocabulary_size, false, place + ": " + inputs);
    check_tokens(batch.targets, vocabulary_size, true, place + ": " + targets);
    batch.predicted = std::count_if(batch.targets.begin(), batch.targets.end(),
                                    [](int64_t t) { return t != data::kNoTarget; });
    batches.push_back(std::move(batch));
  }
  return batches;
}

/// Of several ranks the first one's.
void set_first_generator(const io::Safetensors& file, torch::Device device, const std::string& place) {
  const std::string rows = generator_rows(file.tensors(), device, place);
  const std::size_t row = nn::random_state(device).nbytes();
  if (rows.size() < row) {
    throw FormatError(place + ": " + generators_name(device) +
                      ": expected the state of a generator, got none");
  }
  set_generator(device, rows.substr(0, row), 0, 1);
}

}  // namespace

void add_step(NamedTensors& tensors, int64_t number, const std::vector<data::Batch>& batches) {
  tensors.emplace_back("step", copy({number}, {1}));
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const data::Batch& batch = batches[i];
    tensors.emplace_back("inputs." + std::to_string(i), copy(batch.inputs, {batch.rows, batch.length}));
    tensors.emplace_back("targets." + std::to_string(i), copy(batch.targets, {batch.rows, batch.length}));
  }
}

std::string replay(const std::filesystem::path& path) {
  const io::Safetensors file(path);
  const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  const Recipe recipe = read_run_recipe(folder);
  const nn::LanguageModelConfig config = nn::load_config(folder);
  const int64_t step = numbers(file, "step", {1}, path.string()).front();
  std::vector<data::Batch> batches = batches_of(file, recipe, config.vocabulary_size, path.string());
  const torch::Device device = open_device(recipe.train.device);
  set_up_libtorch(recipe);
  nn::LanguageModel model(config);
  model->to(device);
  NamedTensors tensors;
  for (const auto& parameter : model->named_parameters())
    tensors.emplace_back("weights." + parameter.key(), parameter.value());
  copy_from(file.tensors(), tensors, path.string());
  set_first_generator(file, device, path.string());
  model->train();
  if (const auto found = find_non_finite(model, batches, forward_options(recipe), step))
    throw TrainingError(*found);
  return "step " + std::to_string(step) + ": loss and gradients are finite here";
}

}  // namespace cosformer::train
