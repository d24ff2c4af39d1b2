#pragma once

#include <cstdint>

#include "cosformer/nn/costs.h"
#include "train/recipe.h"

namespace cosformer::train {

/// What ranks have to work with.
struct RankMachine {
  double rate;             ///< floating-point operations a second of one rank, over a whole training step
  double link;             ///< bytes a second that a rank sends while it receives as many
  double latency = 50e-6;  ///< seconds a message, between processes
};

/// Floating-point operations of a training step for each of its tokens; with train.recompute those of the
/// second forward pass too. @param recipe with model.vocabulary_size
double operations_per_token(const Recipe& recipe);

/// A training step of a recipe on n ranks; docs/scaling.md derives it.
struct StepCosts {
  double compute = 0;     ///< seconds of arithmetic
  double gradients = 0;   ///< seconds of summing gradients, of which
  double not_hidden = 0;  ///< so many do not pass behind the backward pass
  double states = 0;      ///< seconds of exchanging states, where ranks split sequences
  int64_t memory = 0;     ///< bytes a rank
  /// Bytes that a rank sends a step.
  double gradient_bytes = 0, state_bytes = 0;
  /// What ring attention would send in place of the states: keys and values forward, and with their gradients
  /// backward.
  double ring_attention_bytes = 0;

  double seconds() const { return compute + not_hidden + states; }
  /// Of the ranks' arithmetic, how much is at work.
  double efficiency() const { return compute / seconds(); }
};

/// @param recipe with model.vocabulary_size
/// @param ranks  a multiple of train.sequence_ranks, at most train.batch_size times that
StepCosts step_costs(const Recipe& recipe, int64_t ranks, const RankMachine& machine);

/// What a process's step holds, of whose micro-batches it computes `rows` stretches of `length` tokens.
nn::TrainingSize training_size(const Recipe& recipe, int64_t rows, int64_t length);

}  // namespace cosformer::train
