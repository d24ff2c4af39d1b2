#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "train/metrics_file.h"
#include "train/tensorboard_file.h"

namespace cosformer::train {

/// What a run measures: metrics.jsonl, and the same as curves and texts for TensorBoard in tensorboard/,
/// which is made anew from metrics.jsonl whenever the run goes on. So neither has a step twice.
class RunLog {
 public:
  /// Keeps what was written up to `last_step`.
  /// @param recipe as TOML
  /// @throws IoError
  RunLog(const std::filesystem::path& folder, int64_t last_step, const std::string& recipe);

  /// A line of metrics, with `unix_seconds` added. Numbers become curves SPLIT/KEY, other than step and those
  /// of times of the machine; a `sample` becomes a text.
  /// @throws IoError
  void write(nlohmann::ordered_json line);

  /// Makes metrics.jsonl last through a power failure. @throws IoError
  void sync() { metrics_.sync(); }

 private:
  void draw(const nlohmann::ordered_json& line);

  MetricsFile metrics_;
  TensorBoardFile tensorboard_;
};

}  // namespace cosformer::train
