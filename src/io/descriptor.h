#pragma once

#include <filesystem>

namespace cosformer::io {

/// Throws IoError "<path>: cannot <what>: <what the system says of error>".
[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int error);

/// An open file that closes itself.
class Descriptor {
 public:
  /// @throws IoError "<path>: cannot <what>: ..."
  Descriptor(const std::filesystem::path& path, int flags, const char* what);
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return file_; }

 private:
  int file_;
};

}  // namespace cosformer::io
