#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace cosformer::io {

/// Writes a whole file: beside its place first, synced, then renamed, so that a reader sees the old content
/// or the new one and never a part. `parts` follow each other in the file.
/// @throws IoError naming the file; nothing stays behind then. Folders, devices and pipes are refused
void write_file(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts);
void write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace cosformer::io
