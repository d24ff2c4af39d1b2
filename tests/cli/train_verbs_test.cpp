#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "cli/verbs_test.h"
#include "support/sanitized.h"

namespace cosformer::cli::test {
namespace {

using cosformer::test::read_text;

TEST_F(Verbs, TrainedAModelIsEvaluated) {
  const Ended trained = train("run");
  EXPECT_EQ(trained.exit_code, 0);
  EXPECT_EQ(trained.err, "");
  EXPECT_NE(trained.out.find("step 12/12  loss "), std::string::npos) << trained.out;
  for (const std::string split : {"test", "valid"}) {
    const Ended ended = run({"evaluate", path("run"), "--split=" + split});
    ASSERT_EQ(ended.exit_code, 0) << ended.err;
    ASSERT_TRUE(ended.out.ends_with("}\n"));
    const auto line = nlohmann::json::parse(ended.out);
    EXPECT_EQ(line["split"], split);
    EXPECT_EQ(line["tokens"], 599);
    EXPECT_NEAR(line["bits_per_byte"].get<double>(), line["loss"].get<double>() / std::log(2.0), 1e-12);
    EXPECT_LT(line["loss"].get<double>(), std::log(256.0));
  }
  const auto test_split = nlohmann::json::parse(run({"evaluate", path("run")}).out);
  EXPECT_EQ(test_split["split"], "test") << "the default";
}

TEST_F(Verbs, WordsAreMeasuredInPerplexity) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "the cat sat on the mat\n";
  for (const char* split : {"train", "valid", "test"}) {
    folder_.write(std::string("words/wiki.") + split + ".tokens", text);
  }
  ASSERT_EQ(train("run", {"--data.path=" + path("words"), "--data.format=wikitext"}).exit_code, 0);
  const auto line = nlohmann::json::parse(run({"evaluate", path("run")}).out);
  EXPECT_EQ(line["tokens"], 30 * 7 - 1);
  EXPECT_NEAR(line["perplexity"].get<double>(), std::exp(line["loss"].get<double>()), 1e-9);
  const Ended generated =
      run({"generate", path("run"), "--prompt", "the cat dog", "--tokens=5", "--temperature=0"});
  EXPECT_EQ(generated.exit_code, 0) << generated.err;
  EXPECT_FALSE(generated.out.empty());
}

TEST_F(Verbs, GenerationIsTheContinuationAloneAndFollowsTheSeed) {
  ASSERT_EQ(train("run").exit_code, 0);
  const auto generate = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"generate", path("run"), "--prompt", "abc", "--tokens=12"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_EQ(ended.out.size(), 12U);
    return ended.out;
  };
  EXPECT_EQ(generate({"--seed=5"}), generate({"--seed=5"}));
  EXPECT_NE(generate({"--seed=5"}), generate({"--seed=6"}));
  EXPECT_EQ(generate({"--temperature=0"}), generate({"--temperature=0", "--seed=3"}));
  EXPECT_EQ(generate({"--top_k=1"}), generate({"--temperature=0"}));
  EXPECT_EQ(generate({"--top_p=0.000001"}), generate({"--temperature=0"}));
}

TEST_F(Verbs, DescribeCountsWhatARunHas) {
  const Ended of_recipe = run({"describe", recipe(), "--model.layers=2"});
  ASSERT_EQ(of_recipe.exit_code, 0) << of_recipe.err;
  EXPECT_NE(of_recipe.out.find("cosformer, 2 layers, width 16, 2 heads, vocabulary 256, T = 16"),
            std::string::npos);
  // 272 * 16 of tables, 2 * (4 * 16 * 17 + 2 * 16 * 32 + 48) of blocks, 2 * 16 * 5 of norms.
  EXPECT_NE(of_recipe.out.find(std::to_string(272 * 16 + 2 * (4 * 16 * 17 + 1024 + 48) + 160)),
            std::string::npos)
      << of_recipe.out;
  ASSERT_EQ(train("run").exit_code, 0);
  EXPECT_EQ(run({"describe", path("run")}).out, of_recipe.out);
}

TEST_F(Verbs, HelpAndKeysArePrinted) {
  for (const char* verb : {"train", "evaluate", "generate", "describe"}) {
    const Ended ended = run({verb, "--help"});
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_NE(ended.out.find("Usage: cosformer " + std::string(verb)), std::string::npos) << ended.out;
  }
  const Ended keys = run({"train", "--help-keys"});
  EXPECT_EQ(keys.exit_code, 0);
  EXPECT_EQ(keys.out, train::recipe_help());
}

TEST_F(Verbs, ASignalStopsARunThatThenGoesOn) {
  ASSERT_EQ(train("whole", {"--train.steps=100"}).exit_code, 0);
  for (const int number : {SIGTERM, SIGINT}) {
    const std::string name = number == SIGTERM ? "terminated" : "interrupted";
    const Program program(folder_.path(), {"train", recipe(), "--output", path(name), "--train.steps=100"});
    while (program.out().find("step ") == std::string::npos) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    program.signal(number);
    const Ended ended = program.wait();
    EXPECT_EQ(ended.exit_code, 3);
    EXPECT_NE(ended.err.find(number == SIGTERM ? "by SIGTERM; --resume goes on\n" : "by SIGINT; --resume"),
              std::string::npos)
        << ended.err;
    EXPECT_EQ(train(name, {"--train.steps=100", "--resume"}).exit_code, 0);
    EXPECT_EQ(read_text(path(name) + "/model.safetensors"), read_text(path("whole/model.safetensors")));
    EXPECT_EQ(train(name, {"--train.steps=100", "--resume"}).exit_code, 0) << "a finished run is done";
  }
}

TEST_F(Verbs, AClockThatIsSetBackChangesNoDuration) {
  if (cosformer::test::kSanitized) GTEST_SKIP() << "a sanitizer has to be loaded first";
  setenv("LD_PRELOAD", COSFORMER_CLOCK_SET_BACK, 1);
  const Ended ended = train("run", {"--train.steps=3000", "--train.time_limit=1"});
  unsetenv("LD_PRELOAD");
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_NE(ended.err.find("by train.time_limit; --resume goes on\n"), std::string::npos) << ended.err;
  std::istringstream lines(read_text(path("run/metrics.jsonl")));
  std::vector<double> written;
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text);
    written.push_back(line["unix_seconds"]);
    for (const char* key : {"saving_seconds", "data_wait_seconds", "evaluation_seconds"})
      EXPECT_GE(line.value(key, 0.0), 0) << text;
    EXPECT_GT(line.value("tokens_per_second", 1.0), 0) << text;
  }
  ASSERT_FALSE(written.empty());
  EXPECT_LT(written.back(), written.front()) << "the clock was set back";
}

TEST_F(Verbs, TwoRunsDoNotShareAFolder) {
  const Program first(folder_.path(), {"train", recipe(), "--output", path("run"), "--train.steps=100000"});
  while (first.out().find("step ") == std::string::npos) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::filesystem::create_directories(path("second"));
  const Ended second = Program(path("second"), {"train", recipe(), "--output", path("run"), "--resume",
                                                "--train.steps=100000", "--train.time_limit=1"})
                           .wait();
  first.signal(SIGKILL);
  EXPECT_EQ(first.wait().exit_code, -1);
  expect_error(second, 1, "run: another run is writing in this folder");
  EXPECT_EQ(train("run", {"--resume", "--train.steps=100000", "--train.time_limit=1"}).exit_code, 3)
      << "the lock died with its process";
}

}  // namespace
}  // namespace cosformer::cli::test
