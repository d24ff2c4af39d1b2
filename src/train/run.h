#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "data/sequences.h"
#include "data/tokenizer.h"
#include "train/background_jobs.h"
#include "train/checkpoint_store.h"
#include "train/ranks/team.h"
#include "train/run_log.h"
#include "train/run_state.h"
#include "train/stop_signal.h"
#include "train/train.h"
#include "train/trainer.h"

namespace cosformer::train {

/// A run from its first step, or the one of its checkpoint, to its last. All processes of a team go through
/// it together; the first alone reads and writes the folder and tells the observer.
class Run {
 public:
  /// Continues from the folder's newest whole checkpoint, if it has one; writes nothing yet.
  /// @param recipe, tokenizer, observer, team kept as references
  /// @throws IoError, FormatError
  Run(const Recipe& recipe, const std::filesystem::path& folder, const data::Tokenizer& tokenizer,
      data::Sequences train, data::Sequences valid, const TrainOptions& options,
      const TrainObserver& observer, Team& team);

  /// @throws IoError, TrainingError
  TrainResult run(const StopSignal& stop);

 private:
  using Clock = std::chrono::steady_clock;

  /// What is out of memory names the keys to lower.
  Trainer::Step take_step();
  /// Skips batches whose loss or gradient is not finite, at most train.skip_non_finite in a row; the last of
  /// them is set aside.
  Trainer::Step finite_step();
  /// At a validation, whether the last `patience` ones all had a higher loss than the best.
  bool ran_out_of_patience(const RunState& state) const;
  void note_end() const;
  void begin_with(const std::filesystem::path& model);
  /// From the newest whole checkpoint. @return whether there is one
  bool restore();
  /// Adds the step to the window since the last line; ends it with a line where one is due.
  void log(const Trainer::Step& step, double seconds, bool is_due);
  double evaluate_now();
  /// The beginning of the validation split as the model goes on with it.
  std::string sample();
  std::optional<std::string> reason_to_stop(const StopSignal& stop) const;
  /// Copies the state and lets it be written in the background. The checkpoint comes last: where it exists,
  /// all that belongs to its step does.
  void save();
  void save_best();
  /// Of earlier steps, so that there is one copy of the state at a time. Throws what went wrong there.
  void wait_for_earlier_writes();

  const Clock::time_point start_ = Clock::now();
  const Recipe& recipe_;
  std::filesystem::path folder_;
  const TrainObserver& observer_;
  const data::Tokenizer& tokenizer_;
  Team& team_;
  data::Sequences valid_;
  CheckpointStore store_;
  RunState state_;
  std::optional<Trainer> trainer_;
  std::optional<RunLog> log_;  ///< of the first process
  int64_t writes_of_step_ = -1;
  BackgroundJobs writes_;  ///< last: they use the others
};

}  // namespace cosformer::train
