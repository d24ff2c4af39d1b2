#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace cosformer::io {

/// A whole file as read-only memory; the system reads a page when it is first touched. An empty file is an
/// empty span. A file that another program cuts short while it is mapped ends the process with SIGBUS.
class MappedFile {
 public:
  /// @throws IoError naming the file if it cannot be opened or mapped, or is no regular file
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace cosformer::io
