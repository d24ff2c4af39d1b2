#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

namespace cosformer::io {

/// Throws IoError "<path>: cannot <what>: <what the system says of error>".
[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int error);

/// An open file or folder that closes itself. What fails is an IoError "<path>: cannot <what>: ...".
class Descriptor {
 public:
  /// @param what for the error
  Descriptor(const std::filesystem::path& path, int flags, const char* what);
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept
      : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return file_; }

  /// All of the bytes, however few the system takes at a time.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Over what was written before, from `offset` on.
  void write_at(uint64_t offset, std::span<const std::byte> bytes);

  /// Makes what was written last through a power failure; of a folder, its names.
  void sync();

  /// Ends it before its time: network file systems report here what they could not write. The destructor
  /// has no one to tell.
  void close();

 private:
  std::filesystem::path path_;
  int file_;
};

}  // namespace cosformer::io
