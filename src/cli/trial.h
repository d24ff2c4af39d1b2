#pragma once

#include <optional>
#include <vector>

#include "train/ranks/team.h"
#include "train/trainer.h"

/// Trying a recipe out: a few of its steps, nothing written.
namespace cosformer::cli {

/// A recipe's trainer on its train split or, where data.path does not exist and tokens are bytes, on random
/// bytes.
class Trial {
 public:
  /// @param least_steps train.steps becomes at least this, so that the schedule reaches so far
  /// @throws IoError, FormatError if the data is there and cannot be read, or tokens are words and it is not
  Trial(train::Recipe recipe, int64_t least_steps);
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  /// With the vocabulary's size filled in.
  const train::Recipe& recipe() const { return recipe_; }
  train::Trainer& trainer() { return *trainer_; }
  bool has_data() const { return has_data_; }
  /// Tokens that are predicted in an epoch; without data those of one step.
  int64_t epoch_tokens() const { return epoch_tokens_; }
  /// batch_size * accumulation * sequence_length
  int64_t step_tokens() const { return step_tokens_; }

 private:
  train::Recipe recipe_;
  bool has_data_;
  int64_t step_tokens_, epoch_tokens_ = 0;
  train::Team team_;  // this process alone
  std::optional<train::Trainer> trainer_;
};

struct TimedStep {
  double seconds, loss;
};
TimedStep timed_step(train::Trainer& trainer);

/// A step of warm-up, then steps for `seconds` and at least one. @return the seconds of each
std::vector<double> timed_steps(train::Trainer& trainer, double seconds);

}  // namespace cosformer::cli
