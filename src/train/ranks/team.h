#pragma once

#include <torch/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cosformer/nn/sequence_split.h"
#include "train/ranks/gradient_reducer.h"
#include "train/ranks/ranks.h"
#include "train/ranks/share.h"
#include "train/recipe.h"

namespace cosformer::train {

/// The processes that train one model, or one process alone, for which all this costs nothing, and the device
/// on which this one computes. Every process calls the same functions in the same sequence. What is exchanged
/// may lie on the device or in the host's memory.
class Team {
 public:
  /// One process.
  explicit Team(torch::Device device = torch::kCPU) : device_(device) {}
  /// Joins the ranks that the environment names, if it names any.
  /// @throws RankError; RecipeError where the recipe does not fit their number; DeviceError
  Team(const Recipe& recipe, const std::optional<RankEnvironment>& environment);

  /// Whether this process writes the run's folder.
  bool is_first() const { return rank() == 0; }
  int64_t rank() const { return ranks_ ? ranks_->rank() : 0; }
  int64_t count() const { return ranks_ ? ranks_->count() : 1; }
  torch::Device device() const { return device_; }
  const Share& share() const { return share_; }
  /// For the model's attention.
  const nn::SequenceSplit& split() const { return split_; }

  /// @throws RankError if a rank has another text; names it and the line
  void require_equal(const std::string& what, const std::string& text);
  void at_step(int64_t step);
  /// Tells the others why this process ends.
  void give_up(const std::string& reason);

  /// Backward of a loss. After the last one of a step, gradients are summed over all ranks.
  /// @param parameters the same ones in every call
  void backward(const torch::Tensor& loss, const std::vector<torch::Tensor>& parameters, bool is_last);
  /// Sums over all ranks, in place and in one order.
  void sum(torch::Tensor tensor);
  /// Whether one of the processes says so.
  bool any(bool here);
  /// One row a rank.
  torch::Tensor gather(const torch::Tensor& row);
  /// The first process's.
  std::string from_first(std::string text);
  void from_first(const std::vector<torch::Tensor>& tensors);

 private:
  torch::Device device_;
  std::unique_ptr<Ranks> ranks_;
  Share share_;
  nn::SequenceSplit split_;
  std::unique_ptr<GradientReducer> reducer_;
};

}  // namespace cosformer::train
