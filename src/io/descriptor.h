#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace cosformer::io {

/// Throws IoError "<path>: cannot <what>: <what the system says of error>".
[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int error);

/// An open file or folder that closes itself. What fails is an IoError "<path>: cannot <what>: ...".
class Descriptor {
 public:
  /// @param what for the error
  Descriptor(const std::filesystem::path& path, int flags, const char* what);
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return file_; }

  /// All of the bytes, however few the system takes at a time.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

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
