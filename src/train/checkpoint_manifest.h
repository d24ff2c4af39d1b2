#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cosformer/error.h"

namespace cosformer::train {

/// A checkpoint is whole, but of a format version that is not known here.
class NewerFormat : public FormatError {
 public:
  using FormatError::FormatError;
};

/// manifest.json of a checkpoint's folder: format version, size and checksum of the files, and a checksum of
/// all that.
/// @throws IoError
void write_manifest(const std::filesystem::path& checkpoint, const std::vector<std::string>& files);

/// @throws IoError; FormatError naming the first file that differs; NewerFormat
void check_manifest(const std::filesystem::path& checkpoint, const std::vector<std::string>& files);

}  // namespace cosformer::train
