#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "train/train.h"

namespace cosformer::cli {

/// Shows how a training gets on: one line that is redrawn on a terminal, now and then a line elsewhere.
class Progress {
 public:
  Progress();
  ~Progress();  ///< leaves the cursor on a line of its own

  void show(const train::TrainProgress& progress);
  void note(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  void print(const std::string& line, bool stays);

  bool terminal_;
  bool line_open_ = false;
  Clock::time_point start_, last_shown_;
  int64_t first_step_ = -1, tokens_ = 0;
  std::optional<double> valid_loss_;
};

/// "step 120/1000  loss 2.3456  valid 2.2222  12,345 tokens/s  1:02 left", with a bar of `bar` characters
/// before where it is above 0. What is not known is left out.
std::string progress_line(const train::TrainProgress& progress, std::optional<double> valid_loss,
                          double tokens_per_second, double seconds_left, int bar);

}  // namespace cosformer::cli
