#pragma once

#include "cosformer/nn/language_model.h"
#include "data/sequences.h"

namespace cosformer::train {

/// A batch's tokens as tensors [rows, length], which share its memory.
struct BatchTensors {
  explicit BatchTensors(data::Batch& batch);
  torch::Tensor inputs, targets;
};

/// Mean natural-log loss per predicted token over all sequences, in evaluation mode (restored after).
/// @param rows sequences a batch
double evaluate(nn::LanguageModel& model, const data::Sequences& sequences, int64_t rows);

}  // namespace cosformer::train
