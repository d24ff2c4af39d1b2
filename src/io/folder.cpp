#include "io/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "io/descriptor.h"

namespace cosformer::io {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

void make_folder(const fs::path& folder) {
  const fs::path path = folder.has_filename() ? folder : folder.parent_path();  // "run/" is "run".
  const fs::path above = folder_of(path);
  std::error_code ignored;
  if (above != path && !fs::exists(above, ignored)) make_folder(above);
  if (::mkdir(path.c_str(), 0777) != 0) {
    const int error = errno;
    if (!fs::is_directory(path, ignored)) fail(path, "create", error == EEXIST ? ENOTDIR : error);
  }
  // Also where it was there: whoever made it may have been killed since. What may not be read cannot be
  // synced.
  if (::access(above.c_str(), R_OK) == 0) sync_folder(above);
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return;
  if (error) fail(path, "remove", error.value());
  const bool is_folder = fs::is_directory(status);
  if (is_folder) {
    for (const std::string& name : names_in(path)) remove_tree(path / name);
  }
  const int result = is_folder ? ::rmdir(path.c_str()) : ::unlink(path.c_str());
  if (result != 0 && errno != ENOENT) fail(path, "remove", errno);
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) fail(folder, "read", error.value());
  return names;
}

void rename_path(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail(to, "rename", errno);
}

void sync_folder(const fs::path& folder) {
  Descriptor(folder, O_RDONLY | O_DIRECTORY, "open folder").sync();
}

}  // namespace cosformer::io
