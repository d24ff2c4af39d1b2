#include "data/shards.h"

#include <map>
#include <thread>

#include "cosformer/error.h"
#include "data/make_shards.h"
#include "data/shard_index.h"
#include "data/tokens.h"
#include "io/sealed_json.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::data {
namespace {

namespace fs = std::filesystem;

std::vector<int64_t> all_of(const Tokens& tokens) {
  std::vector<int64_t> result(static_cast<std::size_t>(tokens.size()));
  tokens.copy(0, result);
  return result;
}

class Sharded : public test::FolderTest {
 protected:
  void SetUp() override {
    std::string text;
    for (int64_t i = 0; i < 60'000; ++i)
      text += "word" + std::to_string(i * i % 977) + (i % 9 == 8 ? "\n" : " ");
    write("text/train.txt", text);
    write("text/valid.txt", text.substr(1000, 70'001));
  }
  ShardsMade make(Format format, int64_t shard_tokens, int workers = 2, const char* to = "shards") const {
    return make_shards({folder_ / "text", format, splits_of_text(folder_ / "text", format), shard_tokens},
                       workers, folder_ / to, [](std::size_t, std::size_t) {});
  }
  Tokens text(Format format, const char* split) const {
    return read_split(folder_ / "text", format, split, Tokenizer::of_data(folder_ / "text", format), 1);
  }
  Tokens shards(const char* split, const char* in = "shards") const {
    return read_split(folder_ / in, Format::kShards, split, Tokenizer::of_data(folder_ / in, Format::kShards),
                      1);
  }
  std::string name(const char* file) const { return (folder_ / file).string(); }
  void damage(const char* file, std::size_t at) const {
    std::string bytes = test::read_text(folder_ / file);
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    write(file, bytes);
  }
  /// Every file's name and bytes.
  std::map<std::string, std::string> content(const char* in) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / in)) {
      if (entry.is_regular_file())
        files[entry.path().lexically_relative(folder_ / in)] = test::read_text(entry);
    }
    return files;
  }
};

TEST_F(Sharded, HoldTheTokensOfTheText) {
  for (const Format format : {Format::kBytes, Format::kWikitext}) {
    for (const int64_t shard_tokens : {65536, 150'000, 10'000'000}) {
      fs::remove_all(folder_ / "shards");
      make(format, shard_tokens);
      for (const char* split : {"train", "valid"}) {
        EXPECT_EQ(all_of(shards(split)), all_of(text(format, split))) << shard_tokens;
      }
      EXPECT_EQ(Tokenizer::of_data(folder_ / "shards", Format::kShards),
                Tokenizer::of_data(folder_ / "text", format));
    }
  }
}

TEST_F(Sharded, AnyStretchIsThatOfTheText) {
  make(Format::kBytes, 100'003);
  const Tokens sharded = shards("train");
  const std::vector<int64_t> whole = all_of(text(Format::kBytes, "train"));
  const auto size = static_cast<int64_t>(whole.size());
  for (const int64_t begin : {int64_t{0}, int64_t{100'002}, int64_t{100'003}, int64_t{150'000}, size - 1}) {
    for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{100'003}, int64_t{240'000}}) {
      std::vector<int64_t> got(static_cast<std::size_t>(std::min(count, size - begin)));
      sharded.copy(begin, got);
      EXPECT_TRUE(std::equal(got.begin(), got.end(), whole.begin() + begin)) << begin << ' ' << count;
    }
  }
}

TEST_F(Sharded, ATokenTakesAsManyBytesAsTheVocabularyNeeds) {
  EXPECT_EQ(token_bytes(256), 1);
  EXPECT_EQ(token_bytes(257), 2);
  EXPECT_EQ(token_bytes(65536), 2);
  EXPECT_EQ(token_bytes(65537), 4);
  std::string many;
  for (int i = 0; i < 70'000; ++i) many += std::to_string(i) + ' ';
  write("text/train.txt", many);
  make(Format::kWikitext, 50'000);
  EXPECT_EQ(ShardFile(folder_ / "shards/train/shard-00001.tokens").token_bytes(), 4);
  EXPECT_EQ(all_of(shards("train")), all_of(text(Format::kWikitext, "train")));
}

TEST_F(Sharded, LinesAndBlanksAtTheEndsOfATextAreThoseOfTheText) {
  fs::remove(folder_ / "text/valid.txt");
  for (const char* train : {"a", "a\n", " a b \r\n\n c", "\n", "a \n "}) {
    write("text/train.txt", train);
    fs::remove_all(folder_ / "shards");
    make(Format::kWikitext, 2);
    EXPECT_EQ(all_of(shards("train")), all_of(text(Format::kWikitext, "train"))) << train;
  }
}

TEST_F(Sharded, AreTheSameForAnyNumberOfWorkers) {
  make(Format::kWikitext, 10'000, 1, "one");
  make(Format::kWikitext, 10'000, 7, "seven");
  EXPECT_EQ(content("one"), content("seven"));
}

TEST_F(Sharded, ASecondRunKeepsWhatIsWholeAndMakesTheRest) {
  for (const Format format : {Format::kBytes, Format::kWikitext}) {
    fs::remove_all(folder_ / "shards");
    const ShardsMade first = make(format, format == Format::kBytes ? 100'000 : 12'000);
    EXPECT_EQ(first.kept, 0U);
    const auto whole = content("shards");
    const ShardsMade again = make(format, format == Format::kBytes ? 100'000 : 12'000);
    EXPECT_EQ(again.kept, first.splits[0].shards + first.splits[1].shards);
    // As a killed run leaves it: no index, shards absent, one begun, and one that a disk has damaged.
    fs::remove(folder_ / "shards/index.json");
    fs::remove(folder_ / "shards/train/shard-00001.tokens");
    write("shards/train/shard-00001.tokens.partial-1", "begun");
    damage("shards/train/shard-00002.tokens", 5000);
    write("shards/train/shard-00003.tokens", "");
    EXPECT_EQ(make(format, format == Format::kBytes ? 100'000 : 12'000).kept, again.kept - 3);
    EXPECT_EQ(content("shards"), whole);
  }
}

TEST_F(Sharded, AnotherSourceOrOtherFlagsNeedAnotherFolder) {
  make(Format::kWikitext, 10'000);
  const std::string plan = name("shards/plan.json");
  EXPECT_EQ(test::message_of<FormatError>([&] { make(Format::kWikitext, 20'000); }),
            plan + ": shard_tokens: expected 20000, got 10000; other shards need another folder");
  EXPECT_EQ(test::message_of<FormatError>([&] { make(Format::kBytes, 10'000); }),
            plan + ": format: expected \"bytes\", got \"wikitext\"; other shards need another folder");
  write("text/train.txt", "another text");
  EXPECT_NE(test::message_of<FormatError>([&] { make(Format::kWikitext, 10'000); }).find(plan + ": texts: "),
            std::string::npos);
}

TEST_F(Sharded, WhatIsNoFolderOfShardsIsLeftAlone) {
  write("full/notes.txt", "mine");
  EXPECT_EQ(
      test::message_of<IoError>([&] { make(Format::kBytes, 10'000, 1, "full"); }),
      name("full") + ": expected an empty folder, none, or one with shards, got one that holds notes.txt");
  write("file", "mine");
  EXPECT_EQ(test::message_of<IoError>([&] { make(Format::kBytes, 10'000, 1, "file"); }),
            name("file") + ": expected a folder, got a file");
  EXPECT_EQ(test::message_of<IoError>([&] { make(Format::kBytes, 10'000, 1, "text"); }),
            name("text") + ": expected an empty folder, none, or one with shards, got one that holds " +
                fs::directory_iterator(folder_ / "text")->path().filename().string());
}

TEST_F(Sharded, BadTextsAreNamed) {
  write("text/valid.txt", "");
  EXPECT_EQ(test::message_of<FormatError>([&] { make(Format::kBytes, 10'000); }),
            name("text/valid.txt") + ": expected a text, got an empty file");
  write("text/train.txt", std::string((1 << 20) + 10, 'x') + ' ' + std::string((3 << 20), 'x'));
  EXPECT_EQ(test::message_of<FormatError>([&] { make(Format::kWikitext, 10'000, 1, "other"); }),
            name("text/valid.txt") + ": expected a text, got an empty file");
  fs::remove(folder_ / "text/valid.txt");
  EXPECT_EQ(
      test::message_of<FormatError>([&] { make(Format::kWikitext, 10'000, 1, "words"); }),
      name("text/train.txt") + ": byte 2097163: expected a word of at most 1048576 bytes, got a longer one");
  fs::remove(folder_ / "text/train.txt");
  EXPECT_EQ(test::message_of<IoError>([&] { splits_of_text(folder_ / "text", Format::kBytes); }),
            name("text") + ": split train: expected train.txt, got none");
}

TEST_F(Sharded, EveryFlippedByteIsNamedWithFileAndBlock) {
  make(Format::kBytes, 200'000);
  const std::string file = name("shards/train/shard-00001.tokens");
  const std::string whole = test::read_text(file);
  const std::size_t blocks = (200'000 + kShardBlock - 1) / kShardBlock, begin = 32 + 8 * blocks;
  for (const std::size_t place : {std::size_t{0}, kShardBlock - 1, kShardBlock, std::size_t{199'999}}) {
    damage("shards/train/shard-00001.tokens", begin + place);
    const Tokens tokens = shards("train");
    std::vector<int64_t> one(1);
    const std::string expected =
        file + ": block " + std::to_string(place / kShardBlock) + ": expected checksum ";
    for (int i = 0; i < 2; ++i) {  // It stays an error.
      const std::string got =
          test::message_of<FormatError>([&] { tokens.copy(200'000 + static_cast<int64_t>(place), one); });
      EXPECT_EQ(got.substr(0, expected.size()), expected);
    }
    EXPECT_NO_THROW(tokens.copy(200'000 - 1, one)) << "of another file";
    write("shards/train/shard-00001.tokens", whole);
  }
  for (std::size_t place = 0; place < begin; ++place) {
    damage("shards/train/shard-00001.tokens", place);
    const std::string got = test::message_of<FormatError>([&] { shards("train"); });
    EXPECT_EQ(got.substr(0, file.size()), file) << place << ": " << got;
    write("shards/train/shard-00001.tokens", whole);
  }
}

TEST_F(Sharded, MissingShortAndOtherShardsAreNamed) {
  make(Format::kBytes, 200'000);
  const char* const shard = "shards/train/shard-00001.tokens";
  const std::string whole = test::read_text(folder_ / shard);
  fs::remove(folder_ / shard);
  EXPECT_EQ(test::message_of<IoError>([&] { shards("train"); }),
            name(shard) + ": cannot open: No such file or directory");
  write(shard, whole.substr(0, 100'000));
  EXPECT_EQ(test::message_of<FormatError>([&] { shards("train"); }),
            name(shard) + ": expected " + std::to_string(whole.size()) + " bytes, got 100000");
  std::string other = whole;
  other[8] = 2;
  write(shard, other);
  EXPECT_EQ(test::message_of<FormatError>([&] { shards("train"); }),
            name(shard) + ": expected version 1 of the format, got 2");
  write(shard, "no shard");
  EXPECT_EQ(test::message_of<FormatError>([&] { shards("train"); }),
            name(shard) + ": expected a shard of tokens, got something else");
  write(shard, test::read_text(folder_ / "shards/train/shard-00000.tokens"));
  const std::string got = test::message_of<FormatError>([&] { shards("train"); });
  EXPECT_EQ(got.find(name(shard) + ": expected checksum of the header "), 0U)
      << "one in another's place: " << got;
  write(shard, whole);
  EXPECT_EQ(test::message_of<IoError>([&] { shards("test"); }),
            name("shards") + ": split test: expected one of train, valid");
}

TEST_F(Sharded, TheIndexAndTheVocabularyAreChecked) {
  make(Format::kWikitext, 10'000);
  write("shards/vocabulary.txt", test::read_text(folder_ / "shards/vocabulary.txt") + "more\n");
  EXPECT_EQ(test::message_of<FormatError>([&] { shards("train"); }).find(name("shards/vocabulary.txt")), 0U);
  damage("shards/index.json", 200);
  EXPECT_EQ(test::message_of<FormatError>([&] { shards("train"); }).find(name("shards/index.json")), 0U);
  write("shards/index.json", io::sealed({{"format_version", 2}}));
  EXPECT_EQ(test::message_of<FormatError>([&] { shards("train"); }),
            name("shards/index.json") + ": format_version: expected 1, got 2");
  fs::remove(folder_ / "shards/index.json");
  EXPECT_EQ(test::message_of<IoError>([&] { shards("train"); }),
            name("shards/index.json") + ": cannot open: No such file or directory");
}

TEST_F(Sharded, SeveralThreadsReadAtOnce) {
  make(Format::kBytes, 50'000);
  const Tokens tokens = shards("train");
  const std::vector<int64_t> whole = all_of(text(Format::kBytes, "train"));
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(all_of(tokens), whole); });
  }
}

TEST_F(Sharded, IdentityTellsOtherTokens) {
  make(Format::kBytes, 50'000);
  const std::string identity = shards("train").identity();
  EXPECT_EQ(identity, shards("train").identity());
  EXPECT_NE(identity, shards("valid").identity());
  const std::string of_text = text(Format::kBytes, "train").identity();
  std::string other = test::read_text(folder_ / "text/train.txt");
  other[77] = '?';
  write("text/train.txt", other);
  EXPECT_NE(text(Format::kBytes, "train").identity(), of_text);
  fs::remove_all(folder_ / "shards");
  make(Format::kBytes, 50'000);
  EXPECT_NE(shards("train").identity(), identity);
}

TEST_F(Sharded, WordsOfWikitextAreThoseOfTheText) {
  const char* data = std::getenv("COSFORMER_DATA");
  const fs::path source = fs::path(data ? data : "") / "wikitext-2";
  if (!fs::exists(source)) GTEST_SKIP() << "COSFORMER_DATA names no folder with wikitext-2/";
  make_shards({source, Format::kWikitext, splits_of_text(source, Format::kWikitext), 300'000}, 3,
              folder_ / "shards", [](std::size_t, std::size_t) {});
  const Tokenizer words = Tokenizer::of_data(source, Format::kWikitext);
  EXPECT_EQ(Tokenizer::of_data(folder_ / "shards", Format::kShards), words);
  for (const char* split : {"train", "valid", "test"}) {
    EXPECT_EQ(all_of(shards(split)), all_of(read_split(source, Format::kWikitext, split, words, 1)));
  }
}

}  // namespace
}  // namespace cosformer::data
