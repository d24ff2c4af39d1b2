#include "io/folder.h"

#include <unistd.h>

#include "cosformer/error.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::io {
namespace {

namespace fs = std::filesystem;

class Folder : public test::FolderTest {};

TEST_F(Folder, IsMadeWithThoseAboveIt) {
  make_folder(folder_ / "a/b/c");
  EXPECT_TRUE(fs::is_directory(folder_ / "a/b/c"));
  EXPECT_NO_THROW(make_folder(folder_ / "a/b/c"));
  make_folder(folder_ / "a/d/");
  EXPECT_TRUE(fs::is_directory(folder_ / "a/d"));
  for (const char* there : {"/", ".", ".."}) EXPECT_NO_THROW(make_folder(there));
  write("file", "");
  for (const char* refused : {"file", "file/inner"}) {
    EXPECT_EQ(test::message_of<IoError>([&] { make_folder(folder_ / refused); }),
              (folder_ / refused).string() + ": cannot create: Not a directory");
  }
}

TEST_F(Folder, IsRemovedWithAllThatIsInIt) {
  write("a/b/file", "x");
  write("other", "x");
  fs::create_symlink(folder_ / "other", folder_ / "a/link");
  fs::create_directory_symlink(folder_, folder_ / "a/above");
  remove_tree(folder_ / "a");
  EXPECT_FALSE(fs::exists(folder_ / "a"));
  EXPECT_TRUE(fs::exists(folder_ / "other")) << "links are not followed";
  EXPECT_NO_THROW(remove_tree(folder_ / "a"));
  remove_tree(folder_ / "other");
  EXPECT_FALSE(fs::exists(folder_ / "other"));
}

TEST_F(Folder, ErrorsNameThePath) {
  EXPECT_EQ(test::message_of<IoError>([&] { rename_path(folder_ / "none", folder_ / "to"); }),
            (folder_ / "to").string() + ": cannot rename: No such file or directory");
  EXPECT_NO_THROW(sync_folder(folder_));
  EXPECT_EQ(test::message_of<IoError>([&] { sync_folder(folder_ / "none"); }),
            (folder_ / "none").string() + ": cannot open folder: No such file or directory");
}

}  // namespace
}  // namespace cosformer::io
