#include "io/mapped_file.h"

#include <sys/stat.h>

#include <utility>

#include "cosformer/error.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::io {
namespace {

using MappedFileTest = test::FolderTest;

TEST_F(MappedFileTest, HoldsTheFilesBytes) {
  const std::string bytes("a\0b\xff\n", 5);
  const MappedFile file(write("file", bytes));
  EXPECT_EQ(file.text(), bytes);
  EXPECT_EQ(file.bytes().size(), 5U);
}

TEST_F(MappedFileTest, AnEmptyFileIsAnEmptySpan) {
  EXPECT_TRUE(MappedFile(write("file", "")).bytes().empty());
}

TEST_F(MappedFileTest, Moves) {
  MappedFile a(write("a", "first")), b(write("b", "second"));
  const std::byte* data = a.bytes().data();
  MappedFile moved(std::move(a));
  EXPECT_EQ(moved.bytes().data(), data) << "the same mapping, not a copy";
  moved = std::move(b);
  EXPECT_EQ(moved.text(), "second");
}

TEST_F(MappedFileTest, StaysWholeWhenTheFileIsReplaced) {
  const auto path = write("file", "old content");
  const MappedFile file(path);
  write("new", "new");
  std::filesystem::rename(folder_ / "new", path);
  EXPECT_EQ(file.text(), "old content");
}

TEST_F(MappedFileTest, SaysWhatIsNoFile) {
  const auto name = [&](const char* file) { return (folder_ / file).string(); };
  EXPECT_EQ(test::message_of<IoError>([&] { MappedFile file(folder_ / "none"); }),
            name("none") + ": cannot open: No such file or directory");
  std::filesystem::create_directory(folder_ / "folder");
  EXPECT_EQ(test::message_of<IoError>([&] { MappedFile file(folder_ / "folder"); }),
            name("folder") + ": expected a file, got something else");
  ASSERT_EQ(::mkfifo(name("pipe").c_str(), 0600), 0);
  EXPECT_EQ(test::message_of<IoError>([&] { MappedFile file(folder_ / "pipe"); }),
            name("pipe") + ": expected a file, got something else")
      << "and no writer is waited for";
}

}  // namespace
}  // namespace cosformer::io
