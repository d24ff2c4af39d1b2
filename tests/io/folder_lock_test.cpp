#include "io/folder_lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "cosformer/error.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::io {
namespace {

TEST(FolderLock, IsHeldByOneAtATime) {
  const test::TemporaryFolder folder;
  std::optional<FolderLock> first(folder.path());
  EXPECT_EQ(test::message_of<IoError>([&] { FolderLock second(folder.path()); }),
            folder.path().string() + ": another run is writing in this folder");
  first.reset();
  EXPECT_NO_THROW(FolderLock(folder.path()));
}

TEST(FolderLock, DiesWithItsProcess) {
  const test::TemporaryFolder folder;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const FolderLock lock(folder.path());
    if (write(ready[1], "x", 1) != 1) _exit(1);
    pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_THROW(FolderLock(folder.path()), IoError);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(FolderLock(folder.path()));
}

TEST(FolderLock, NeedsAFolder) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(FolderLock(folder.path() / "none"), IoError);
  EXPECT_THROW(FolderLock(folder.write("file", "")), IoError);
}

}  // namespace
}  // namespace cosformer::io
