#include <gtest/gtest.h>

#include "cli/usage_error.h"
#include "cli/verbs.h"
#include "cosformer/error.h"
#include "support/temporary_folder.h"

namespace cosformer::cli {
namespace {

class DataCorpus : public test::FolderTest {
 protected:
  static void run(std::vector<std::string> arguments) {
    CLI::App app;
    add_data(app);
    std::reverse(arguments.begin(), arguments.end());
    app.parse(arguments);
  }
};

TEST_F(DataCorpus, WritesASplit) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "line " + std::to_string(i * i) + "\n";
  const std::string output = folder_ / "out";
  run({"data", "corpus", write("text", text), "--output", output});
  EXPECT_FALSE(test::read_text(folder_ / "out/train.txt").empty());
  EXPECT_FALSE(test::read_text(folder_ / "out/valid.txt").empty());
  EXPECT_FALSE(test::read_text(folder_ / "out/corpus.json").empty());
}

TEST_F(DataCorpus, TellsWrongUseFromWrongFiles) {
  const std::string output = folder_ / "out";
  EXPECT_THROW(run({"data"}), CLI::ParseError);
  EXPECT_THROW(run({"data", "corpus", "--output", output}), CLI::ParseError);
  EXPECT_THROW(run({"data", "corpus", folder_}), CLI::ParseError);
  EXPECT_THROW(run({"data", "corpus", "", "--output", output}), CLI::ParseError);
  EXPECT_THROW(run({"data", "corpus", folder_, "--output", ""}), CLI::ParseError);
  EXPECT_THROW(run({"data", "corpus", folder_ / "none", "--output", output}), IoError);
  EXPECT_THROW(run({"data", "corpus", write("empty", ""), "--output", output}), FormatError);
}

TEST_F(DataCorpus, ShardsAText) {
  write("text/train.txt", std::string(5000, 'a'));
  write("text/valid.txt", std::string(100, 'b'));
  run({"data", "shard", folder_ / "text", "--output", folder_ / "out", "--shard_tokens", "2000", "--split",
       "train,valid", "--workers", "3"});
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/train/shard-00002.tokens"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/valid/shard-00000.tokens"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/index.json"));
}

TEST_F(DataCorpus, TellsWrongFlagsOfShardFromWrongFiles) {
  const std::string text = write("text/train.txt", "text").parent_path(), output = folder_ / "out";
  EXPECT_THROW(run({"data", "shard", text}), CLI::ParseError);
  EXPECT_THROW(run({"data", "shard", "--output", output}), CLI::ParseError);
  EXPECT_THROW(run({"data", "shard", text, "--output", output, "--format", "shards"}), CLI::ParseError);
  EXPECT_THROW(run({"data", "shard", text, "--output", output, "--shard_tokens", "0"}), CLI::ParseError);
  EXPECT_THROW(run({"data", "shard", text, "--output", output, "--workers", "0"}), CLI::ParseError);
  EXPECT_THROW(run({"data", "shard", text, "--output", output, "--split", "dev"}), CLI::ParseError);
  EXPECT_THROW(run({"data", "shard", "", "--output", output}), CLI::ParseError);
  EXPECT_THROW(run({"data", "shard", text, "--output", ""}), CLI::ParseError);
  EXPECT_THROW(run({"data", "shard", text, "--output", output, "--split", "train,train"}), UsageError);
  EXPECT_THROW(run({"data", "shard", text, "--output", output, "--split", "test"}), IoError);
  EXPECT_THROW(run({"data", "shard", folder_ / "none", "--output", output}), IoError);
  EXPECT_FALSE(std::filesystem::exists(output));
}

}  // namespace
}  // namespace cosformer::cli
