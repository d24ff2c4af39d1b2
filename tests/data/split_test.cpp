#include "data/split.h"

#include "cosformer/error.h"
#include "data/tokens.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::data {
namespace {

using test::message_of;

TEST(Split, PrefersThePublishersNames) {
  const test::TemporaryFolder folder;
  const auto plain = folder.write("valid.txt", "a\n");
  EXPECT_EQ(split_file(folder.path(), Format::kWikitext, "valid"), plain);
  const auto publishers = folder.write("wiki.valid.tokens", "b\n");
  EXPECT_EQ(split_file(folder.path(), Format::kWikitext, "valid"), publishers);
  EXPECT_EQ(split_file(folder.path(), Format::kBytes, "valid"), plain);
}

TEST(Split, ErrorsNameTheFilesLookedFor) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path().string();
  EXPECT_EQ(message_of<IoError>([&] { split_file(path, Format::kBytes, "train"); }),
            path + ": split train: expected train.txt, got none");
  EXPECT_EQ(message_of<IoError>([&] { split_file(path, Format::kWikitext, "test"); }),
            path + ": split test: expected wiki.test.tokens or test.txt, got none");
  EXPECT_EQ(message_of<IoError>([&] { split_file(path + "/none", Format::kBytes, "train"); }),
            path + "/none: expected a folder with the data, got none");
  const auto file = folder.write("file", "");
  EXPECT_EQ(message_of<IoError>([&] { split_file(file, Format::kBytes, "train"); }),
            file.string() + ": expected a folder with the data, got something else");
}

TEST(Split, AnEmptyOrShortFileIsRefused) {
  const test::TemporaryFolder folder;
  const auto file = folder.write("train.txt", "");
  EXPECT_EQ(message_of<FormatError>([&] { read_split(folder.path(), Format::kBytes, "train", {}, 2); }),
            file.string() + ": expected at least 2 tokens, got 0");
  folder.write("train.txt", "abcd");
  EXPECT_EQ(message_of<FormatError>([&] { read_split(folder.path(), Format::kBytes, "train", {}, 5); }),
            file.string() + ": expected at least 5 tokens, got 4");
  EXPECT_EQ(read_split(folder.path(), Format::kBytes, "train", {}, 4).size(), 4);
}

TEST(Split, AFolderInThePlaceOfAFileIsRefused) {
  const test::TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "train.txt");
  EXPECT_THROW(read_split(folder.path(), Format::kBytes, "train", {}, 1), IoError);
}

TEST(Split, BytesAreTokens) {
  const test::TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 256; ++i) text += static_cast<char>(i);
  folder.write("train.txt", text);
  const Tokens tokens = read_split(folder.path(), Format::kBytes, "train", {}, 1);
  std::vector<int64_t> copied(255);
  tokens.copy(1, copied);
  for (int64_t i = 0; i < 255; ++i) EXPECT_EQ(copied[static_cast<std::size_t>(i)], i + 1);
}

TEST(Format, HasTwoNames) {
  EXPECT_EQ(parse_format("bytes"), Format::kBytes);
  EXPECT_EQ(parse_format("wikitext"), Format::kWikitext);
  EXPECT_EQ(parse_format("shards"), Format::kShards);
  EXPECT_THROW(parse_format("words"), FormatError);
}

}  // namespace
}  // namespace cosformer::data
