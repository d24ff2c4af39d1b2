#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/sequences.h"
#include "train/named_tensors.h"

/// A step that is set aside to be repeated: what a checkpoint's state.safetensors has, as it was before the
/// step; `step`, its number, I64 [1]; and for each micro-batch `inputs.I` and `targets.I`, I64 [rows,
/// length].
namespace cosformer::train {

inline constexpr const char* kNonFiniteStep = "non_finite_step.safetensors";

/// Copies.
void add_step(NamedTensors& tensors, int64_t number, const std::vector<data::Batch>& batches);

/// Repeats the loss and gradients of a step that was set aside in the folder of its run.
/// @return one line, if all is finite
/// @throws TrainingError naming the step, the first layer and tensor that are not finite; IoError,
/// FormatError
std::string replay(const std::filesystem::path& file);

}  // namespace cosformer::train
