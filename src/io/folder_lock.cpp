#include "io/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "cosformer/error.h"

namespace cosformer::io {

FolderLock::FolderLock(const std::filesystem::path& folder)
    : folder_(folder, O_RDONLY | O_DIRECTORY, "open folder") {
  if (::flock(folder_.get(), LOCK_EX | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) fail(folder, "lock", errno);
  throw IoError(folder.string() + ": another run is writing in this folder");
}

}  // namespace cosformer::io
