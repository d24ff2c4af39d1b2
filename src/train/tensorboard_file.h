#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "io/descriptor.h"

namespace cosformer::train {

/// An event file that TensorBoard reads: records of protocol buffers, each with its checksums (TFRecord,
/// Event and Summary of tensorflow/core). Of a folder's event files a new one takes the place of all others,
/// and tells a TensorBoard that has read one of those to forget it.
class TensorBoardFile {
 public:
  /// Begins an empty file; the others stay until `replace_others`.
  /// @param folder is made where absent
  /// @throws IoError
  explicit TensorBoardFile(const std::filesystem::path& folder);

  /// One point of a curve. @param unix_seconds when it was measured
  /// @throws IoError
  void write_scalar(const std::string& tag, int64_t step, double value, double unix_seconds);
  /// @param text UTF-8, shown as Markdown
  /// @throws IoError
  void write_text(const std::string& tag, int64_t step, const std::string& text, double unix_seconds);

  /// Removes the folder's other event files. @throws IoError
  void replace_others() const;

 private:
  void write_event(std::string_view event);

  std::filesystem::path path_;
  io::Descriptor file_;
};

}  // namespace cosformer::train
