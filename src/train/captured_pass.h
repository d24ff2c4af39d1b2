#pragma once

#include <torch/types.h>

#include <vector>

#include "cosformer/nn/language_model.h"
#include "data/sequences.h"
#include "train/cuda_graph.h"
#include "train/recipe.h"

namespace cosformer::train {

/// Forward and backward pass of micro-batches of one shape and one divisor of the loss: those of steps
/// without padding. The first few are computed as any other, then one is captured and all are replayed.
/// Nothing is looked at; the loss stays on the device.
///
/// A graph knows addresses alone. So inputs are copied to a place of their own, gradients are added up in
/// tensors that are kept from step to step, and the parameters' storage may be exchanged between steps if it
/// is back before the next one.
class CapturedPass {
 public:
  /// @param model kept
  /// @throws RecipeError with COSFORMER_CHECK=1 in the environment
  CapturedPass(nn::LanguageModel model, const Recipe& recipe, GraphCapture graphs);
  CapturedPass(const CapturedPass&) = delete;
  CapturedPass& operator=(const CapturedPass&) = delete;

  /// Whether the micro-batches of a step with so many targets are such ones.
  bool takes(int64_t predicted) const { return predicted == *options_.divisor; }

  /// Adds gradients to those of the parameters; at a step's first micro-batch they have none.
  /// @return the loss, until the next call
  const torch::Tensor& run(data::Batch& batch);

 private:
  void compute();
  void begin_gradients();

  nn::LanguageModel model_;
  GraphCapture graphs_;
  nn::ForwardOptions options_;
  std::vector<torch::Tensor> parameters_, gradients_;
  torch::Tensor inputs_, targets_, loss_;
  int warm_ups_ = 0;
  GraphCapture::Work replay_;
};

}  // namespace cosformer::train
