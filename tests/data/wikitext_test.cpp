// WikiText-2 as its publisher distributes it, where the environment variable COSFORMER_DATA names a folder
// with wikitext-2/ in it.
#include <gtest/gtest.h>

#include <cstdlib>

#include "data/tokens.h"

namespace cosformer::data {
namespace {

TEST(Wikitext2, HasThePublishersCounts) {
  const char* data = std::getenv("COSFORMER_DATA");
  const std::filesystem::path folder = std::filesystem::path(data ? data : "") / "wikitext-2";
  if (!data || !std::filesystem::exists(folder)) {
    GTEST_SKIP() << "COSFORMER_DATA names no folder with wikitext-2/";
  }
  const Tokenizer tokenizer = Tokenizer::of_data(folder, Format::kWikitext);
  EXPECT_EQ(tokenizer.vocabulary_size(), 33278);
  EXPECT_EQ(read_split(folder, Format::kWikitext, "train", tokenizer, 1).size(), 2088628);
  EXPECT_EQ(read_split(folder, Format::kWikitext, "valid", tokenizer, 1).size(), 217646);
  EXPECT_EQ(read_split(folder, Format::kWikitext, "test", tokenizer, 1).size(), 245569);
}

}  // namespace
}  // namespace cosformer::data
