#include "data/corpus.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cosformer/error.h"
#include "data/made_text.h"
#include "data/shared_windows.h"
#include "support/errors.h"
#include "support/sanitized.h"
#include "support/temporary_folder.h"

namespace cosformer::data::test {
namespace {

namespace fs = std::filesystem;

class Corpus : public cosformer::test::FolderTest {
 protected:
  std::string train() const { return cosformer::test::read_text(folder_ / "out/train.txt"); }
  std::string valid() const { return cosformer::test::read_text(folder_ / "out/valid.txt"); }
};

TEST_F(Corpus, ValidIsATenthInOnePieceAndTrainTheRest) {
  const std::string text = made_text(0, 2000);
  const auto file = write("text", text);
  const data::Corpus corpus = write_corpus(file, folder_ / "out");
  EXPECT_NEAR(static_cast<double>(valid().size()), 0.1 * static_cast<double>(text.size()),
              0.01 * static_cast<double>(text.size()));
  const std::size_t at = text.find(valid());
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(train(), text.substr(0, at) + text.substr(at + valid().size()))
      << "nothing repeats, nothing goes";
  EXPECT_TRUE(at == 0 || text.substr(at - 2, 2) == "\n\n") << "begins with a paragraph";
  EXPECT_EQ(corpus.train_bytes, train().size());
  EXPECT_EQ(corpus.valid_bytes, valid().size());
  EXPECT_EQ(corpus.repeated_bytes, 0U);
}

TEST_F(Corpus, EqualTextsGiveEqualSplits) {
  write("a/one", made_text(0, 300));
  write("a/two", made_text(1, 300));
  write("b/two", made_text(1, 300));
  write("b/one", made_text(0, 300));
  write_corpus(folder_ / "a", folder_ / "out");
  const std::string first_train = train(), first_valid = valid();
  const std::string json = cosformer::test::read_text(folder_ / "out/corpus.json");
  fs::remove_all(folder_ / "out");
  write_corpus(folder_ / "b", folder_ / "out");
  EXPECT_EQ(train(), first_train);
  EXPECT_EQ(valid(), first_valid);
  EXPECT_EQ(cosformer::test::read_text(folder_ / "out/corpus.json"), json);
}

TEST_F(Corpus, CopiesInOtherFilesDoNotReachTraining) {
  const std::string text = made_text(0, 500);
  std::string spaced;
  for (const char c : text) spaced += c == ' ' ? "  " : c == '\n' ? "\r\n" : std::string(1, c);
  write("in/a", text);
  write("in/b", made_text(1, 500));
  write("in/c", spaced);
  write_corpus(folder_ / "in", folder_ / "out");
  const SharedWindows shared = shared_windows(valid(), train());
  EXPECT_EQ(shared.words8 + shared.bytes50 + shared.bytes100, 0U);
}

TEST_F(Corpus, PrefersAStretchThatLittleRepeats) {
  // Three files are copies but for their first lines; a stretch of the fourth costs nothing else.
  write("in/a", "first\n" + made_text(0, 400));
  write("in/b", "second\n" + made_text(0, 400));
  write("in/c", "third\n" + made_text(0, 400));
  write("in/d", made_text(1, 400));
  const data::Corpus corpus = write_corpus(folder_ / "in", folder_ / "out");
  EXPECT_EQ(corpus.repeated_bytes, 0U);
  EXPECT_NE(made_text(1, 400).find(valid()), std::string::npos);
}

TEST_F(Corpus, PrefersAStretchLikeTheRest) {
  // A tenth in capitals at either end is no measure for a text in small letters.
  const auto capitals = [](std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
    return text;
  };
  const std::string text = made_text(0, 800);
  write("text", capitals(made_text(1, 100)) + text + capitals(made_text(2, 100)));
  write_corpus(folder_ / "text", folder_ / "out");
  EXPECT_NE(text.find(valid()), std::string::npos);
}

TEST_F(Corpus, OneHugeLine) {
  std::string text = made_text(0, 4000);
  std::replace(text.begin(), text.end(), '\n', ' ');
  write("text", text);
  text += '\n';
  write_corpus(folder_ / "text", folder_ / "out");
  EXPECT_NE(text.find(valid()), std::string::npos);
  EXPECT_GE(train().size() + valid().size(), text.size());
  EXPECT_LE(train().size() + valid().size(), text.size() + 2)
      << "a line end where parts meet, one at the end";
  EXPECT_EQ(shared_windows(valid(), train()).words8, 0U);

  std::string solid;
  for (const char c : text) solid += is_blank(c) ? "" : std::string(1, c);
  write("solid", solid);
  solid += '\n';
  write_corpus(folder_ / "solid", folder_ / "out2");
  const std::string solid_valid = cosformer::test::read_text(folder_ / "out2/valid.txt");
  const std::size_t at = solid.find(solid_valid);
  ASSERT_NE(at, std::string::npos);
  ASSERT_GT(at, 0U);
  EXPECT_EQ(cosformer::test::read_text(folder_ / "out2/train.txt"),
            solid.substr(0, at) + "\n" + solid.substr(at + solid_valid.size()))
      << "a line end where the two parts meet";
}

TEST_F(Corpus, KeepsLineEndsAndStrangeBytes) {
  const std::string text = made_text(0, 300, "\r\n") + "caf\xe9 \xff\n" + made_text(1, 300, "\r\n");
  write("text", text);
  write_corpus(folder_ / "text", folder_ / "out");
  EXPECT_EQ(train().size() + valid().size(), text.size());
  EXPECT_NE((train() + valid()).find("caf\xe9 \xff\n"), std::string::npos);
}

TEST_F(Corpus, ValidIsBounded) {
  write("small", made_text(0, 300));  // 18 kB
  write_corpus(folder_ / "small", folder_ / "out");
  EXPECT_NEAR(static_cast<double>(valid().size()), kLeastValid, kLeastValid / 8.0);
  if (cosformer::test::kSanitized) return;  // megabytes take a minute there
  write("large", made_text(0, 60000));      // 3.7 MB
  write_corpus(folder_ / "large", folder_ / "out2");
  EXPECT_NEAR(static_cast<double>(fs::file_size(folder_ / "out2/valid.txt")), kMostValid, kMostValid / 8.0);
}

TEST_F(Corpus, JsonSaysWhatWasReadAndLeftOut) {
  write("in/a", made_text(0, 400));
  write("in/b\xff", made_text(1, 10));
  write("in/c", "");
  write_corpus(folder_ / "in", folder_ / "out");
  const auto json = nlohmann::json::parse(cosformer::test::read_text(folder_ / "out/corpus.json"));
  EXPECT_EQ(json["files"][0], nlohmann::json({{"path", "a"}, {"bytes", made_text(0, 400).size()}}));
  EXPECT_EQ(json["files"][1]["path"], "b\xEF\xBF\xBD") << "a name that is not UTF-8";
  EXPECT_EQ(json["left_out"], nlohmann::json::parse(R"([{"path": "c", "why": "empty"}])"));
  EXPECT_EQ(json["train_bytes"], train().size());
  EXPECT_EQ(json["valid_bytes"], valid().size());
  EXPECT_EQ(json["repeated_bytes"], 0);
  EXPECT_EQ(made_text(0, 400).find(valid()), json["valid_from"]);
}

TEST_F(Corpus, TooLittleTextIsAnErrorAndWritesNothing) {
  const auto file = write("short", made_text(0, 100));
  EXPECT_EQ(cosformer::test::message_of<FormatError>([&] { write_corpus(file, folder_ / "out"); }),
            file.string() + ": expected at least 16384 bytes of text, got " +
                std::to_string(made_text(0, 100).size()));
  std::string same;
  for (int i = 0; i < 2000; ++i) same += "All work and no play makes Jack a dull boy.\n";
  const auto copies = write("same", same);
  EXPECT_EQ(cosformer::test::message_of<FormatError>([&] { write_corpus(copies, folder_ / "out"); }),
            copies.string() +
                ": expected at least 8192 bytes of text that do not repeat the validation part, got 0");
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(Corpus, TouchesNothingThatIsThere) {
  const auto file = write("text", made_text(0, 400));
  write("full/notes", "mine");
  EXPECT_EQ(cosformer::test::message_of<IoError>([&] { write_corpus(file, folder_ / "full"); }),
            (folder_ / "full").string() + ": expected an empty folder or none, got one that holds notes");
  EXPECT_EQ(cosformer::test::read_text(folder_ / "full/notes"), "mine");
  EXPECT_EQ(cosformer::test::message_of<IoError>([&] { write_corpus(file, file); }),
            file.string() + ": expected a folder, got a file");
  EXPECT_EQ(cosformer::test::read_text(file), made_text(0, 400));
  EXPECT_NE(cosformer::test::message_of<IoError>([&] { write_corpus(file, file / "below"); }), "no error");
  fs::create_directory(folder_ / "out");
  write_corpus(file, folder_ / "out");
  EXPECT_FALSE(valid().empty()) << "an empty folder is filled";
  EXPECT_NE(cosformer::test::message_of<IoError>([&] { write_corpus(file, folder_ / "out"); }), "no error")
      << "but not twice";
}

TEST_F(Corpus, ReadOnlyFolder) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const auto file = write("text", made_text(0, 400));
  fs::create_directory(folder_ / "shut");
  fs::permissions(folder_ / "shut", fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_NE(cosformer::test::message_of<IoError>([&] {
              write_corpus(file, folder_ / "shut");
            }).find("Permission denied"),
            std::string::npos);
  EXPECT_NE(cosformer::test::message_of<IoError>([&] {
              write_corpus(file, folder_ / "shut/out");
            }).find("Permission denied"),
            std::string::npos);
}

// The text of the quickstart: licences of which many share long passages.
TEST_F(Corpus, LicencesOfDebian) {
  const fs::path licences = "/usr/share/common-licenses";
  if (!fs::exists(licences / "GPL-3")) GTEST_SKIP() << licences << " is not here";
  const data::Corpus corpus = write_corpus(licences, folder_ / "out");
  const SharedWindows shared = shared_windows(valid(), train());
  EXPECT_EQ(shared.words8, 0U);
  EXPECT_EQ(shared.bytes50, 0U);
  EXPECT_EQ(shared.bytes100, 0U);
  EXPECT_NE(corpus.source.text.find(valid()), std::string::npos) << "in one piece";
  EXPECT_GT(valid().size(), corpus.source.text.size() / 12);
  EXPECT_GT(train().size(), corpus.source.text.size() * 3 / 4) << "enough to learn from";
  for (const SourceFile& file : corpus.source.files) {
    EXPECT_FALSE(fs::is_symlink(licences / file.path)) << file.path;
  }
  RecordProperty("train_bytes", std::to_string(train().size()));
  RecordProperty("valid_bytes", std::to_string(valid().size()));
}

}  // namespace
}  // namespace cosformer::data::test
