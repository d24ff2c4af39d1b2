#include "io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

#include "cosformer/error.h"
#include "io/descriptor.h"

namespace cosformer::io {
namespace {

void write_and_sync(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC, "create");
  for (std::span<const std::byte> bytes : parts) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(path, "write", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  if (::fsync(file.get()) != 0) fail(path, "sync", errno);
}

}  // namespace

void write_file(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts) {
  std::error_code error;
  const auto type = std::filesystem::status(path, error).type();
  if (type != std::filesystem::file_type::regular && type != std::filesystem::file_type::not_found &&
      type != std::filesystem::file_type::none) {
    throw IoError(path.string() +
                  ": expected a file, got something else");  // Renaming would replace a device.
  }
  std::filesystem::path beside = path;
  beside += ".partial-" + std::to_string(::getpid());
  try {
    write_and_sync(beside, parts);
    if (std::rename(beside.c_str(), path.c_str()) != 0) fail(path, "rename", errno);
  } catch (...) {
    ::unlink(beside.c_str());
    throw;
  }
  sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  write_file(path, std::span(&bytes, 1));
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor file(folder, O_RDONLY | O_DIRECTORY, "open folder");
  if (::fsync(file.get()) != 0) fail(folder, "sync", errno);
}

}  // namespace cosformer::io
