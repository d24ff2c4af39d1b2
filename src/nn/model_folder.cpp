#include "cosformer/nn/model_folder.h"

#include <cstring>
#include <map>
#include <sstream>

#include "cosformer/nn/costs.h"
#include "io/atomic_file.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"

namespace cosformer::nn {
namespace {

namespace fs = std::filesystem;

std::string dtype_name(torch::ScalarType type) {
  switch (type) {
    case torch::kFloat32:
      return "F32";
    case torch::kFloat64:
      return "F64";
    default:
      throw ShapeError(std::string("weights: expected float32 or float64, got ") + c10::toString(type));
  }
}

std::string describe(const std::string& dtype, at::IntArrayRef shape) {
  std::ostringstream text;
  text << dtype << ' ' << shape;
  return text.str();
}

/// A file's tensors beside a module's parameters.
struct Match {
  std::vector<std::pair<torch::Tensor, const io::TensorBytes*>> fitting;  // equal name, shape and dtype
  std::vector<std::string> misfits;  // a line for each other parameter, then each other tensor
};

Match match(const torch::nn::Module& module, const io::Safetensors& stored) {
  std::map<std::string, const io::TensorBytes*> tensors;
  for (const auto& tensor : stored.tensors()) tensors.emplace(tensor.name, &tensor);
  const auto parameters = module.named_parameters();
  Match result;
  for (const auto& parameter : parameters) {
    const auto found = tensors.find(parameter.key());
    if (found == tensors.end()) {
      result.misfits.push_back(parameter.key() + ": expected a tensor, got none");
      continue;
    }
    const std::string expected =
        describe(dtype_name(parameter.value().scalar_type()), parameter.value().sizes());
    const std::string got = describe(found->second->dtype, found->second->shape);
    if (got == expected) {
      result.fitting.emplace_back(parameter.value(), found->second);
    } else {
      result.misfits.push_back(parameter.key() + ": expected " + expected + ", got " + got);
    }
  }
  for (const auto& [name, tensor] : tensors) {
    if (!parameters.contains(name)) result.misfits.push_back(name + ": the model has no such tensor");
  }
  return result;
}

void copy_fitting(const Match& match) {
  const torch::NoGradGuard no_gradients;
  for (const auto& [parameter, source] : match.fitting) {
    torch::Tensor copy = torch::empty(parameter.sizes(), torch::dtype(parameter.dtype()));
    if (!source->bytes.empty())
      std::memcpy(copy.mutable_data_ptr(), source->bytes.data(), source->bytes.size());
    parameter.copy_(copy);
  }
}

}  // namespace

fs::path weights_path(const fs::path& folder, Weights which) {
  return which == Weights::kBest ? folder / "best" / "model.safetensors" : folder / "model.safetensors";
}

void save_weights(const torch::nn::Module& module, const fs::path& file) {
  std::vector<std::pair<std::string, torch::Tensor>> weights;
  for (const auto& parameter : module.named_parameters())
    weights.emplace_back(parameter.key(), parameter.value());
  save_weights(weights, file);
}

void save_weights(const std::vector<std::pair<std::string, torch::Tensor>>& weights, const fs::path& file) {
  std::vector<torch::Tensor> stored;
  std::vector<io::TensorBytes> tensors;
  for (const auto& [name, weight] : weights) {
    const torch::Tensor& tensor = stored.emplace_back(weight.detach().cpu().contiguous());
    tensors.push_back({name,
                       dtype_name(tensor.scalar_type()),
                       tensor.sizes().vec(),
                       {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}});
  }
  // Python's loaders look for the format to know whose tensors these are.
  io::write_safetensors(file, tensors, {{"format", "pt"}});
}

void load_weights(torch::nn::Module& module, const fs::path& file) {
  const io::Safetensors stored(file);
  const Match found = match(module, stored);
  if (!found.misfits.empty()) throw FormatError(file.string() + ": " + found.misfits.front());
  copy_fitting(found);
}

std::vector<std::string> load_fitting_weights(torch::nn::Module& module, const fs::path& file) {
  const io::Safetensors stored(file);
  const Match found = match(module, stored);
  if (found.fitting.empty()) {
    throw FormatError(file.string() + ": expected tensors of this model, got none: " +
                      (found.misfits.empty() ? "no tensor" : found.misfits.front()));
  }
  copy_fitting(found);
  return found.misfits;
}

void save_config(const LanguageModelConfig& config, const fs::path& folder) {
  io::write_file(folder / "config.json", std::string_view(to_json(config)));
}

LanguageModelConfig load_config(const fs::path& folder) {
  const fs::path file = folder / "config.json";
  const io::MappedFile mapped(file);
  const auto bytes = mapped.bytes();
  return config_from_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file.string());
}

LanguageModel load_model(const fs::path& folder, Weights which) {
  const LanguageModelConfig config = load_config(folder);
  const fs::path file = weights_path(folder, which);
  // A config of absurd sizes is refused before memory is taken for it.
  const int64_t expected = 4 * parameters(config).total();
  const auto size = static_cast<int64_t>(io::MappedFile(file).bytes().size());
  if (size < expected) {
    throw FormatError(file.string() + ": expected at least the " + std::to_string(expected) +
                      " bytes of the parameters that config.json asks for, got " + std::to_string(size));
  }
  LanguageModel model(config);
  load_weights(*model, file);
  model->eval();
  return model;
}

}  // namespace cosformer::nn
