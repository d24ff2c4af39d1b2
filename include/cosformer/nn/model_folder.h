#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cosformer/nn/language_model.h"

/// A model is a folder: config.json, model.safetensors (the last step's weights) and best/model.safetensors
/// (those of the lowest validation loss). Tensors are named as named_parameters() names them; a tied head is
/// stored once.
namespace cosformer::nn {

enum class Weights { kLast, kBest };

std::filesystem::path weights_path(const std::filesystem::path& folder, Weights which);

/// Writes every parameter, beside the file first and then renamed, so that it is whole or absent.
/// @throws IoError
void save_weights(const torch::nn::Module& module, const std::filesystem::path& file);

/// The same of weights by name, float32 or float64; `save_weights(module, file)` gives its parameters.
void save_weights(const std::vector<std::pair<std::string, torch::Tensor>>& weights,
                  const std::filesystem::path& file);

/// Overwrites every parameter of `module`.
/// @throws IoError; FormatError naming the first tensor that is missing, unexpected, or of another shape or
/// dtype; the module is then unchanged
void load_weights(torch::nn::Module& module, const std::filesystem::path& file);

/// Overwrites the parameters for which the file has a tensor of the same name, shape and dtype.
/// @return a line for each other parameter or tensor
/// @throws IoError; FormatError if none fits
std::vector<std::string> load_fitting_weights(torch::nn::Module& module, const std::filesystem::path& file);

/// config.json in `folder`, which exists. @throws IoError
void save_config(const LanguageModelConfig& config, const std::filesystem::path& folder);

/// @throws IoError, FormatError
LanguageModelConfig load_config(const std::filesystem::path& folder);

/// The model of a folder, in evaluation mode. Building it draws from LibTorch's global generator.
/// @throws IoError, FormatError
LanguageModel load_model(const std::filesystem::path& folder, Weights which);

}  // namespace cosformer::nn
