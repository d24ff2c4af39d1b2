#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "cosformer/nn/language_model.h"
#include "data/batch_stream.h"
#include "train/captured_pass.h"
#include "train/cuda_graph.h"
#include "train/named_tensors.h"
#include "train/optimizer.h"
#include "train/ranks/team.h"
#include "train/recipe.h"

namespace cosformer::train {

/// Training cannot go on: a loss or gradient is not finite.
class TrainingError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A step whose loss or gradient is not finite.
class NonFiniteError : public TrainingError {
 public:
  NonFiniteError(const std::string& message, NamedTensors of_step)
      : TrainingError(message), step(std::move(of_step)) {}
  /// What the step began with (replay.h). The weights and moments are the trainer's own, not copies.
  NamedTensors step;
};

/// Model, optimiser and place in the data: all that the next step depends on.
class Trainer {
 public:
  /// Sets LibTorch's threads, makes it deterministic, seeds its generators and draws the initial weights.
  /// @param recipe    with model.vocabulary_size filled in
  /// @param sequences of the train split, at least one
  /// @param team      kept, and its device used; `step`, `state`, `restore` and `follow_first` are called by
  /// all of it
  /// @param graphs    for train.cuda_graphs, with which the team is one process
  Trainer(const Recipe& recipe, data::Sequences sequences, Team& team, GraphCapture graphs = cuda_graphs());

  struct Step {
    double loss;        ///< mean over the step's targets
    int64_t predicted;  ///< targets
    double gradient_norm;
    double learning_rate;
  };
  /// One step of the optimiser over batch_size * accumulation sequences, each target of equal weight, of
  /// which each process computes its share.
  /// @throws NonFiniteError naming the step, and in the first process the first layer and tensor; weights and
  /// moments are then unchanged, and the next call takes the same step over the next batch
  Step step();

  int64_t steps_done() const { return steps_done_; }
  /// Sequences taken so far.
  int64_t data_position() const { return stream_.position(); }
  /// Time that steps have waited for data since this was last asked.
  double take_seconds_waited() { return stream_.take_seconds_waited(); }
  nn::LanguageModel& model() { return model_; }

  /// Before the first step: nn::load_fitting_weights.
  std::vector<std::string> load_fitting_weights(const std::filesystem::path& file);

  /// While this lives, the model has the running average of its weights (train.average_decay), if one is
  /// kept.
  class AveragedWeights {
   public:
    explicit AveragedWeights(Trainer& trainer) : trainer_(trainer) { trainer_.swap_weights(); }
    ~AveragedWeights() { trainer_.swap_weights(); }
    AveragedWeights(const AveragedWeights&) = delete;
    AveragedWeights& operator=(const AveragedWeights&) = delete;

   private:
    Trainer& trainer_;
  };

  /// Weights, their average and the optimiser's memory, which are the trainer's own, on its device; and the
  /// states of LibTorch's generators (generators.h).
  NamedTensors state() const;
  /// Takes over the first process's weights.
  void follow_first();
  /// Goes on as the trainer did of which these were taken, on whatever device; with another number of ranks,
  /// or on a GPU after none, generators begin anew.
  /// @param tensors of the first process; the others may have none
  /// @param place for errors
  /// @throws FormatError if the tensors are not those of this recipe
  void restore(const std::vector<io::TensorBytes>& tensors, int64_t steps_done, int64_t data_position,
               const std::string& place);

 private:
  /// All of the state but the generators.
  NamedTensors learned() const;
  NonFiniteError non_finite(std::vector<data::Batch>& batches, const torch::Tensor& random_state_before);
  void restore_generators(const std::vector<io::TensorBytes>& tensors, int64_t steps_done,
                          const std::string& place);
  void begin_averages();
  void average_weights();
  void swap_weights();

  Recipe recipe_;
  Team& team_;
  data::BatchStream stream_;
  nn::LanguageModel model_;
  Optimizer optimizer_;
  std::vector<torch::Tensor> averages_;  // of the parameters, in their order; none without average_decay
  std::optional<CapturedPass> captured_;
  int64_t steps_done_ = 0;
};

}  // namespace cosformer::train
