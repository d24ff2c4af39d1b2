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

/// Every parameter has its tensor and every tensor its parameter, of equal shape and dtype.
void check_tensors(const torch::OrderedDict<std::string, torch::Tensor>& parameters,
                   const std::map<std::string, const io::TensorBytes*>& tensors, const std::string& file) {
  for (const auto& parameter : parameters) {
    const auto found = tensors.find(parameter.key());
    if (found == tensors.end()) {
      throw FormatError(file + ": " + parameter.key() + ": expected a tensor, got none");
    }
    const std::string expected =
        describe(dtype_name(parameter.value().scalar_type()), parameter.value().sizes());
    const std::string got = describe(found->second->dtype, found->second->shape);
    if (got != expected) {
      throw FormatError(file + ": " + parameter.key() + ": expected " + expected + ", got " + got);
    }
  }
  for (const auto& [name, tensor] : tensors) {
    if (!parameters.contains(name)) {
      throw FormatError(file + ": " + name + ": the model has no such tensor");
    }
  }
}

}  // namespace

fs::path weights_path(const fs::path& folder, Weights which) {
  return which == Weights::kBest ? folder / "best" / "model.safetensors" : folder / "model.safetensors";
}

void save_weights(const torch::nn::Module& module, const fs::path& file) {
  const torch::NoGradGuard no_gradients;
  std::vector<torch::Tensor> stored;
  std::vector<io::TensorBytes> tensors;
  for (const auto& parameter : module.named_parameters()) {
    const torch::Tensor& tensor = stored.emplace_back(parameter.value().detach().cpu().contiguous());
    tensors.push_back({parameter.key(),
                       dtype_name(tensor.scalar_type()),
                       tensor.sizes().vec(),
                       {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}});
  }
  // Python's loaders look for the format to know whose tensors these are.
  io::write_safetensors(file, tensors, {{"format", "pt"}});
}

void load_weights(torch::nn::Module& module, const fs::path& file) {
  const torch::NoGradGuard no_gradients;
  const io::Safetensors stored(file);
  std::map<std::string, const io::TensorBytes*> tensors;
  for (const auto& tensor : stored.tensors()) {
    tensors.emplace(tensor.name, &tensor);
  }
  auto parameters = module.named_parameters();
  check_tensors(parameters, tensors, file.string());
  for (auto& parameter : parameters) {
    const io::TensorBytes& source = *tensors.at(parameter.key());
    torch::Tensor copy = torch::empty(parameter.value().sizes(), torch::dtype(parameter.value().dtype()));
    if (!source.bytes.empty()) {
      std::memcpy(copy.mutable_data_ptr(), source.bytes.data(), source.bytes.size());
    }
    parameter.value().copy_(copy);
  }
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
