#include "io/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "cosformer/error.h"

namespace cosformer::io {

void fail(const std::filesystem::path& path, const char* what, int error) {
  throw IoError(path.string() + ": cannot " + what + ": " + std::strerror(error));
}

Descriptor::Descriptor(const std::filesystem::path& path, int flags, const char* what)
    : path_(path), file_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
  if (file_ < 0) fail(path, what, errno);
}

Descriptor::~Descriptor() {
  if (file_ >= 0) ::close(file_);
}

void Descriptor::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void Descriptor::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "write", errno);
    offset += static_cast<uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void Descriptor::sync() {
  if (::fsync(file_) != 0) fail(path_, "sync", errno);
}

void Descriptor::close() {
  // Linux closes it whatever it says; interrupted, it has not failed.
  if (::close(std::exchange(file_, -1)) != 0 && errno != EINTR) fail(path_, "close", errno);
}

}  // namespace cosformer::io
