#pragma once

#include <algorithm>

#include "cli/program.h"
#include "support/temporary_folder.h"
#include "train/tiny_recipe.h"

namespace cosformer::cli::test {

/// Runs the program on a tiny recipe in a folder of the test's own.
class Verbs : public testing::Test {
 protected:
  Verbs() {
    train::Recipe recipe = train::test::tiny_recipe();
    recipe.data.path = data();
    folder_.write("tiny.toml", to_toml(recipe));
    for (const char* split : {"train", "valid", "test"}) {
      folder_.write(std::string("data/") + split + ".txt", train::test::tiny_text(600, *split));
    }
  }

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string recipe() const { return path("tiny.toml"); }
  std::string data() const { return path("data"); }

  Ended run(const std::vector<std::string>& arguments) const {
    return Program(folder_.path(), arguments).wait();
  }
  /// `train` with the tiny recipe.
  Ended train(const std::string& output, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"train", recipe(), "--output", path(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  /// One line on stderr, nothing on stdout, this exit code.
  void expect_error(const Ended& ended, int exit_code, const std::string& part) const {
    EXPECT_EQ(ended.exit_code, exit_code);
    EXPECT_EQ(ended.err.substr(0, 11), "cosformer: ");
    EXPECT_NE(ended.err.find(part), std::string::npos) << "expected " << part << "\ngot " << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
    EXPECT_EQ(ended.out, "");
  }

  const cosformer::test::TemporaryFolder folder_;
};

}  // namespace cosformer::cli::test
