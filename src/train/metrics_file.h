#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "io/descriptor.h"

namespace cosformer::train {

/// metrics.jsonl: one object a line with step, split and loss. Appended to, one write a line.
class MetricsFile {
 public:
  /// Keeps what was written up to `last_step` and drops the rest, such as a line cut short.
  /// @throws IoError
  MetricsFile(const std::filesystem::path& path, int64_t last_step);

  /// @throws IoError
  void write(const nlohmann::ordered_json& line);

  /// Makes all lines last through a power failure. @throws IoError
  void sync();

 private:
  io::Descriptor file_;
};

}  // namespace cosformer::train
