#include "data/vocabulary.h"

#include "cosformer/error.h"
#include "data/words.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::data {
namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for_each_word_of_file(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

TEST(Words, StandBetweenSpacesAndLinesEndInOne) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(words_of(" = a  b = \n \n c\td\r\n"),
            (Words{"=", "a", "b", "=", "<eos>", "<eos>", "c", "d", "<eos>"}));
  EXPECT_EQ(words_of("a"), (Words{"a", "<eos>"})) << "a last line without its end";
  EXPECT_EQ(words_of("\n"), (Words{"<eos>"}));
  EXPECT_EQ(words_of(""), Words{});
}

TEST(Vocabulary, MostFrequentFirstThenByFirstOccurrence) {
  const Vocabulary vocabulary = Vocabulary::of_text("b a c a\nd c\n<unk>\n");
  const std::vector<std::string> expected = {"<eos>", "a", "c", "b", "d", "<unk>"};
  ASSERT_EQ(vocabulary.size(), 6);
  for (int64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(vocabulary.word(i), expected[static_cast<std::size_t>(i)]);
    EXPECT_EQ(vocabulary.token(vocabulary.word(i)), i);
  }
  EXPECT_EQ(vocabulary.token("e"), 5) << "unknown words are <unk>";
  EXPECT_EQ(vocabulary.end_of_line(), 0);
}

TEST(Vocabulary, AlwaysHasAnUnknownWord) {
  const Vocabulary vocabulary = Vocabulary::of_text("a b a\n");
  EXPECT_EQ(vocabulary.size(), 4);
  EXPECT_EQ(vocabulary.word(3), "<unk>");
}

TEST(Vocabulary, IsKeptInAFile) {
  const test::TemporaryFolder folder;
  const Vocabulary vocabulary = Vocabulary::of_text("b a \xE2\x80\x93 a\n\xFF\n");
  vocabulary.save(folder.path());
  EXPECT_EQ(Vocabulary::load(folder.path()), vocabulary);
  EXPECT_EQ(test::read_text(folder.path() / "vocabulary.txt"), "a\n<eos>\nb\n\xE2\x80\x93\n\xFF\n<unk>\n");
}

TEST(Vocabulary, ABrokenFileIsRefusedByItsLine) {
  const test::TemporaryFolder folder;
  const auto error = [&](const std::string& text) {
    folder.write("vocabulary.txt", text);
    const std::string message = test::message_of<FormatError>([&] { Vocabulary::load(folder.path()); });
    const auto name = message.find("vocabulary.txt: ");
    return name == std::string::npos ? message : message.substr(name + 16);
  };
  EXPECT_EQ(error("<eos>\n\n<unk>\n"), "line 2: expected one word, got \"\"");
  EXPECT_EQ(error("<eos>\na b\n<unk>\n"), "line 2: expected one word, got \"a b\"");
  EXPECT_EQ(error("<eos>\na\n<unk>\na\n"), "line 4: expected a new word, got that of line 2");
  EXPECT_EQ(error("<eos>\na\n"), "expected a line <unk>, got none");
  EXPECT_EQ(error(""), "expected a line <eos>, got none");
  folder.write("vocabulary.txt", "<eos>\n<unk>");
  EXPECT_EQ(Vocabulary::load(folder.path()).size(), 2) << "a last line without an end";
  std::filesystem::remove(folder.path() / "vocabulary.txt");
  EXPECT_THROW(Vocabulary::load(folder.path()), IoError);
}

}  // namespace
}  // namespace cosformer::data
