#include "data/text_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cosformer/error.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::data::test {
namespace {

namespace fs = std::filesystem;

class TextSource : public cosformer::test::FolderTest {
 protected:
  /// Why `path` was left out, "" if it was not.
  static std::string why(const data::TextSource& source, const std::string& path) {
    for (const LeftOut& file : source.left_out) {
      if (file.path == path) return file.why;
    }
    return "";
  }
};

TEST_F(TextSource, ReadsAFolderInTheOrderOfPaths) {
  write("b.txt", "two\n");
  write("a/z/deep", "one");
  write("B", "zero\n");
  const data::TextSource source = read_text(folder_);
  EXPECT_EQ(source.text, "zero\none\ntwo\n") << "byte order, and a line end where a file lacks one";
  ASSERT_EQ(source.files.size(), 3U);
  EXPECT_EQ(source.files[1].path, "a/z/deep");
  EXPECT_EQ(source.files[1].bytes, 3U);
  EXPECT_TRUE(source.left_out.empty());
}

TEST_F(TextSource, ReadsOneFileAndFollowsALinkThatWasNamed) {
  write("a.txt", "one\r\ntwo");
  EXPECT_EQ(read_text(folder_ / "a.txt").text, "one\r\ntwo\n");
  fs::create_symlink("a.txt", folder_ / "link");
  EXPECT_EQ(read_text(folder_ / "link").text, "one\r\ntwo\n");
}

TEST_F(TextSource, ReadsEveryFileOnce) {
  write("a", "text\n");
  write("sub/c", "other\n");
  fs::create_hard_link(folder_ / "a", folder_ / "hard");
  write("same", "text\n");
  fs::create_symlink("a", folder_ / "soft");
  fs::create_symlink("nowhere", folder_ / "broken");
  fs::create_directory_symlink("..", folder_ / "sub/loop");
  fs::create_directory_symlink("/", folder_ / "root");
  const data::TextSource source = read_text(folder_);
  EXPECT_EQ(source.text, "text\nother\n");
  EXPECT_EQ(why(source, "hard"), "hard link of a");
  EXPECT_EQ(why(source, "same"), "same content as a");
  for (const char* link : {"soft", "broken", "sub/loop", "root"}) {
    EXPECT_EQ(why(source, link), "symbolic link") << link;
  }
}

TEST_F(TextSource, LeavesOutWhatIsNotText) {
  write("text", "text\n");
  write("empty", "");
  write("zero", std::string("some\0text", 9));
  write("noise", "\xff\xfe\x80\x81\x90 abc");
  write("utf16", std::string("\xff\xfet\0e\0", 6));
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  const data::TextSource source = read_text(folder_);
  EXPECT_EQ(source.text, "text\n");
  EXPECT_EQ(why(source, "empty"), "empty");
  EXPECT_EQ(why(source, "pipe"), "not a regular file") << "and opening it would wait for a writer";
  for (const char* name : {"zero", "noise", "utf16"}) EXPECT_EQ(why(source, name), "not text") << name;
}

TEST_F(TextSource, TakesLatin1AndFormFeeds) {
  EXPECT_TRUE(is_text("un caf\xe9 au lait, \f deux caf\xe9s noirs"));
  EXPECT_TRUE(is_text("日本語のテキスト"));
  EXPECT_TRUE(is_text(""));
  EXPECT_FALSE(is_text("\x01\x02\x03\x04"));
  EXPECT_FALSE(is_text("日本\xe6")) << "one strange byte in seven";
}

TEST_F(TextSource, NamesWhatItCannotRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  write("open", "text\n");
  write("shut", "secret\n");
  write("box/inner", "hidden\n");
  fs::permissions(folder_ / "shut", fs::perms::none);
  fs::permissions(folder_ / "box", fs::perms::none);
  const data::TextSource source = read_text(folder_);
  fs::permissions(folder_ / "box", fs::perms::owner_all);
  EXPECT_EQ(source.text, "text\n");
  EXPECT_EQ(why(source, "shut"), "cannot open: Permission denied");
  EXPECT_EQ(why(source, "box"), "cannot read: Permission denied");
}

TEST_F(TextSource, FailsWithOneLine) {
  const std::string place = folder_.string();
  EXPECT_EQ(cosformer::test::message_of<IoError>([&] { read_text(folder_ / "none"); }),
            place + "/none: expected a file or a folder, got nothing of that name");
  write("file", "text");
  EXPECT_EQ(cosformer::test::message_of<IoError>([&] { read_text(folder_ / "file/none"); }),
            place + "/file/none: expected a file or a folder, got nothing of that name");
  write("empty", "");
  EXPECT_EQ(cosformer::test::message_of<FormatError>([&] { read_text(folder_ / "empty"); }),
            place + "/empty: expected text, got: empty");
  write("sub/binary", std::string(3, '\0'));
  EXPECT_EQ(cosformer::test::message_of<FormatError>([&] { read_text(folder_ / "sub"); }),
            place + "/sub: expected files of text, got 1 without (binary: not text)");
  fs::create_directory(folder_ / "bare");
  EXPECT_EQ(cosformer::test::message_of<FormatError>([&] { read_text(folder_ / "bare"); }),
            place + "/bare: expected files of text, got no file");
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(cosformer::test::message_of<FormatError>([&] { read_text(folder_ / "pipe"); }),
            place + "/pipe: expected text, got: not a regular file");
}

}  // namespace
}  // namespace cosformer::data::test
