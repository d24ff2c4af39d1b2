#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cosformer/nn/language_model.h"
#include "data/sequences.h"

namespace cosformer::train {

/// Loss and gradients of a step, computed once more to find where they cease to be finite: the first layer of
/// the forward pass whose output is not, else the first in the backward pass, layer or parameter, whose
/// gradient is not.
/// @param batches  the step's micro-batches
/// @param number   of the step
/// Draws from LibTorch's generator as the step did, which began where it stands; leaves no gradients.
/// @return "step 7: expected a finite loss, got nan: layer blocks.1.ffn.up: 12 of 1536 elements of its output
/// [3, 16, 32] are not finite", or nothing if everything is
std::optional<std::string> find_non_finite(nn::LanguageModel& model, std::vector<data::Batch>& batches,
                                           nn::ForwardOptions options, int64_t number);

}  // namespace cosformer::train
