#include "data/tokenizer.h"

#include "cosformer/error.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::data {
namespace {

TEST(Tokenizer, BytesRoundTrip) {
  const Tokenizer tokenizer;
  std::string text;
  for (int i = 255; i >= 0; --i) text += static_cast<char>(i);
  const std::vector<int64_t> tokens = tokenizer.encode(text);
  ASSERT_EQ(tokens.size(), 256U);
  EXPECT_EQ(tokens[0], 255);
  EXPECT_EQ(tokens[255], 0);
  EXPECT_EQ(tokenizer.decode(tokens), text);
  EXPECT_EQ(tokenizer.vocabulary_size(), 256);
}

TEST(Tokenizer, WordsAreJoinedBySpacesAndLines) {
  const Tokenizer tokenizer(Vocabulary::of_text("the cat sat\n"));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("the  cat \n sat dog\n")), "the cat\nsat <unk>\n");
  EXPECT_EQ(tokenizer.encode("cat").size(), 1U) << "a prompt's line goes on";
  EXPECT_TRUE(tokenizer.encode(" ").empty());
}

TEST(Tokenizer, AContinuationBeginsWithASpaceUnlessALineEnded) {
  const Tokenizer tokenizer(Vocabulary::of_text("the cat\n"));
  const int64_t cat = tokenizer.encode("cat")[0], the = tokenizer.encode("the")[0];
  const int64_t line = tokenizer.encode("\n")[0];
  EXPECT_EQ(tokenizer.decode(cat, the), " cat");
  EXPECT_EQ(tokenizer.decode(cat, line), "cat");
  EXPECT_EQ(tokenizer.decode(cat, std::nullopt), "cat");
  EXPECT_EQ(tokenizer.decode(line, cat), "\n");
}

TEST(Tokenizer, AModelFolderKeepsIt) {
  const test::TemporaryFolder folder;
  folder.write("train.txt", "b a a\n");
  const Tokenizer words = Tokenizer::of_data(folder.path(), Format::kWikitext);
  EXPECT_EQ(words.vocabulary_size(), 4);
  words.save(folder.path());
  EXPECT_EQ(Tokenizer::load(folder.path(), Format::kWikitext, words.vocabulary_size()), words);
  EXPECT_NE(Tokenizer::load(folder.path(), Format::kBytes, 256), words);
  const std::string expected = folder.path().string() + ": expected 7 tokens, as the model has, got ";
  EXPECT_EQ(test::message_of<FormatError>([&] { Tokenizer::load(folder.path(), Format::kBytes, 7); }),
            expected + "256 of bytes");
  EXPECT_EQ(test::message_of<FormatError>([&] { Tokenizer::load(folder.path(), Format::kWikitext, 7); }),
            expected + std::to_string(words.vocabulary_size()) + " of vocabulary.txt");
}

}  // namespace
}  // namespace cosformer::data
