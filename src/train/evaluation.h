#pragma once

#include "cosformer/nn/language_model.h"
#include "data/sequences.h"
#include "train/ranks/team.h"

namespace cosformer::train {

/// A batch's tokens as tensors [rows, length]; on the CPU they share its memory.
struct BatchTensors {
  BatchTensors(data::Batch& batch, torch::Device device);
  torch::Tensor inputs, targets;
};

/// Loss of a process's share of a batch, which has to outlive the backward pass.
torch::Tensor loss_of(nn::LanguageModel& model, data::Batch& part, nn::ForwardOptions options,
                      const Team& team);

/// Mean natural-log loss per predicted token over all sequences, in evaluation mode (restored after).
/// @param rows sequences a batch
/// @param team of whose processes each computes its share; all get the same result
double evaluate(nn::LanguageModel& model, const data::Sequences& sequences, int64_t rows, Team& team,
                nn::Precision precision);
/// The same by this process alone.
double evaluate(nn::LanguageModel& model, const data::Sequences& sequences, int64_t rows,
                nn::Precision precision = nn::Precision::kFloat32);

}  // namespace cosformer::train
