#include "io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <system_error>

#include "cosformer/error.h"
#include "io/descriptor.h"
#include "io/folder.h"

namespace cosformer::io {

namespace fs = std::filesystem;

void write_file(const fs::path& path, std::span<const std::span<const std::byte>> parts) {
  std::error_code error;
  const auto type = fs::status(path, error).type();
  if (type != fs::file_type::regular && type != fs::file_type::not_found && type != fs::file_type::none) {
    throw IoError(path.string() +
                  ": expected a file, got something else");  // Renaming would replace a device.
  }
  fs::path beside = path;
  beside += ".partial-" + std::to_string(::getpid());
  try {
    Descriptor file(beside, O_WRONLY | O_CREAT | O_TRUNC, "create");
    for (const std::span<const std::byte> bytes : parts) file.write(bytes);
    file.sync();
    file.close();
    rename_path(beside, path);
  } catch (...) {
    ::unlink(beside.c_str());
    throw;
  }
  sync_folder(folder_of(path));
}

void write_file(const fs::path& path, std::string_view text) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  write_file(path, std::span(&bytes, 1));
}

}  // namespace cosformer::io
