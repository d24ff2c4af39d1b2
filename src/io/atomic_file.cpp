#include "io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "cosformer/error.h"
#include "io/folder.h"

namespace cosformer::io {

namespace fs = std::filesystem;
namespace {

constexpr const char* kPartial = ".partial-";  // and the process

}  // namespace

NewFile::NewFile(fs::path path) : path_(std::move(path)), beside_(path_) {
  std::error_code error;
  const auto type = fs::status(path_, error).type();
  if (type != fs::file_type::regular && type != fs::file_type::not_found && type != fs::file_type::none) {
    throw IoError(path_.string() +
                  ": expected a file, got something else");  // Renaming would replace a device.
  }
  beside_ += kPartial + std::to_string(::getpid());
  file_.emplace(beside_, O_WRONLY | O_CREAT | O_TRUNC, "create");
}

NewFile::~NewFile() {
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

void NewFile::take_place() {
  file_->sync();
  file_->close();
  rename_path(beside_, path_);
  beside_.clear();
  sync_folder(folder_of(path_));
}

void write_file(const fs::path& path, std::span<const std::span<const std::byte>> parts) {
  NewFile file(path);
  for (const std::span<const std::byte> bytes : parts) file.write(bytes);
  file.take_place();
}

void write_file(const fs::path& path, std::string_view text) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  write_file(path, std::span(&bytes, 1));
}

void remove_partial_files(const fs::path& folder) {
  for (const std::string& name : names_in(folder)) {
    const std::size_t begin = name.rfind(kPartial);
    if (begin == std::string::npos) continue;
    const std::string process = name.substr(begin + std::strlen(kPartial));
    const bool is_number = !process.empty() && process.find_first_not_of("0123456789") == std::string::npos;
    if (is_number) remove_tree(folder / name);
  }
}

}  // namespace cosformer::io
