#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "cosformer/error.h"

namespace cosformer::train {

/// A checkpoint is whole, but of a format version that is not known here.
class NewerFormat : public FormatError {
 public:
  using FormatError::FormatError;
};

/// A file of a checkpoint, its parts one after another.
struct CheckpointFile {
  std::string name;
  std::vector<std::span<const std::byte>> parts;
};

/// manifest.json of a checkpoint's folder: format version, size and checksum of the files, and a checksum of
/// all that. What counts is what was to be written, not what is found in the folder.
/// @throws IoError
void write_manifest(const std::filesystem::path& checkpoint, const std::vector<CheckpointFile>& files);

/// @throws IoError; FormatError naming the first file that differs; NewerFormat
void check_manifest(const std::filesystem::path& checkpoint, const std::vector<std::string>& files);

}  // namespace cosformer::train
