#include "train/replay.h"

#include <algorithm>
#include <cstring>

#include "cosformer/error.h"
#include "cosformer/nn/model_folder.h"
#include "nn/random_state.h"
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
std::vector<int64_t> numbers(const io::Safetensors& file, const std::string& name, const std::string& place) {
  for (const io::TensorBytes& tensor : file.tensors()) {
    if (tensor.name != name || tensor.dtype != "I64") continue;
    std::vector<int64_t> values(tensor.bytes.size() / sizeof(int64_t));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }
  throw FormatError(place + ": " + name + ": expected a tensor I64, got none");
}

std::vector<data::Batch> batches_of(const io::Safetensors& file, const Recipe& recipe,
                                    const std::string& place) {
  std::vector<data::Batch> batches;
  for (int64_t i = 0; i < recipe.train.accumulation; ++i) {
    data::Batch batch;
    batch.inputs = numbers(file, "inputs." + std::to_string(i), place);
    batch.targets = numbers(file, "targets." + std::to_string(i), place);
    batch.rows = recipe.train.batch_size;
    batch.length = static_cast<int64_t>(batch.inputs.size()) / batch.rows;
    const auto size = static_cast<std::size_t>(batch.rows * batch.length);
    if (batch.inputs.size() != size || batch.targets.size() != size) {
      throw FormatError(place + ": inputs." + std::to_string(i) + ": expected " + std::to_string(batch.rows) +
                        " sequences, got " + std::to_string(batch.inputs.size()) + " tokens");
    }
    batch.predicted = std::count_if(batch.targets.begin(), batch.targets.end(),
                                    [](int64_t t) { return t != data::kNoTarget; });
    batches.push_back(std::move(batch));
  }
  return batches;
}

/// Of several ranks the first one's.
void set_first_generator(const io::Safetensors& file, const std::string& place) {
  const torch::Tensor state = nn::random_state();
  for (const io::TensorBytes& tensor : file.tensors()) {
    if (tensor.name != "generators.cpu" || tensor.bytes.size() < state.nbytes()) continue;
    std::memcpy(state.mutable_data_ptr(), tensor.bytes.data(), state.nbytes());
    nn::set_random_state(state);
    return;
  }
  throw FormatError(place + ": generators.cpu: expected the state of a generator, got none");
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
  const int64_t step = numbers(file, "step", path.string()).at(0);
  std::vector<data::Batch> batches = batches_of(file, recipe, path.string());
  set_up_libtorch(recipe);
  nn::LanguageModel model(nn::load_config(folder));
  NamedTensors tensors;
  for (const auto& parameter : model->named_parameters())
    tensors.emplace_back("weights." + parameter.key(), parameter.value());
  copy_from(file.tensors(), tensors, path.string());
  set_first_generator(file, path.string());
  model->train();
  if (const auto found = find_non_finite(model, batches, forward_options(recipe), step))
    throw TrainingError(*found);
  return "step " + std::to_string(step) + ": loss and gradients are finite here";
}

}  // namespace cosformer::train
