#pragma once

#include <filesystem>

#include "io/descriptor.h"

namespace cosformer::io {

/// One process at a time writes in a folder. The lock ends with the object, and with the process however it
/// ends.
class FolderLock {
 public:
  /// @throws IoError if the folder cannot be opened or another process holds it
  explicit FolderLock(const std::filesystem::path& folder);

 private:
  Descriptor folder_;
};

}  // namespace cosformer::io
