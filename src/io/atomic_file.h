#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

#include "io/descriptor.h"

namespace cosformer::io {

/// A file that is written beside its place and takes it when it is whole, so that a reader sees the old
/// content or the new one and never a part.
class NewFile {
 public:
  /// @throws IoError naming the file, also if a folder, device or pipe stands in its place
  explicit NewFile(std::filesystem::path path);
  /// Removes what has not taken its place.
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  /// @throws IoError naming the file
  void write(std::span<const std::byte> bytes) { file_->write(bytes); }
  /// Over what was written before. @throws IoError naming the file
  void write_at(uint64_t offset, std::span<const std::byte> bytes) { file_->write_at(offset, bytes); }
  /// Syncs, closes and renames; nothing may be written after. @throws IoError naming the file
  void take_place();

 private:
  std::filesystem::path path_, beside_;
  std::optional<Descriptor> file_;
};

/// Writes a whole NewFile; `parts` follow each other in it.
/// @throws IoError naming the file; nothing stays behind then
void write_file(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts);
void write_file(const std::filesystem::path& path, std::string_view text);

/// Removes what writers that were killed have left beside their files' places, in a folder where no one else
/// writes now. An absent folder holds none.
/// @throws IoError
void remove_partial_files(const std::filesystem::path& folder);

}  // namespace cosformer::io
