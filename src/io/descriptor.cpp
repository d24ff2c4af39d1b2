#include "io/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cosformer/error.h"

namespace cosformer::io {

void fail(const std::filesystem::path& path, const char* what, int error) {
  throw IoError(path.string() + ": cannot " + what + ": " + std::strerror(error));
}

Descriptor::Descriptor(const std::filesystem::path& path, int flags, const char* what)
    : file_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
  if (file_ < 0) fail(path, what, errno);
}

Descriptor::~Descriptor() {
  ::close(file_);
}

}  // namespace cosformer::io
