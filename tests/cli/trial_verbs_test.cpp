#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/verbs_test.h"

namespace cosformer::cli::test {
namespace {

using cosformer::test::read_text;

/// The lines of a text, by their first words up to two blanks.
std::map<std::string, std::string> rows(const std::string& text) {
  std::map<std::string, std::string> all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = line.find("  ");
    if (end != std::string::npos) all.emplace(line.substr(0, end), line.substr(end));
  }
  return all;
}

double share(const std::string& row) {
  std::istringstream words(row);
  double milliseconds = 0, percent = -1;
  words >> milliseconds >> percent;
  return percent;
}

TEST_F(Verbs, AProfileHasEveryPartAndItsSharesAreTheWholeStep) {
  const Ended ended = run({"profile", recipe(), "--steps=2", "--trace", path("trace.json")});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const auto table = rows(ended.out);
  double sum = 0;
  for (const char* part : {"embedding", "attention", "matrix products", "normalisation", "loss", "optimiser",
                           "data", "communication", "other"}) {
    ASSERT_TRUE(table.contains(part)) << part << "\n" << ended.out;
    const double percent = share(table.at(part));
    EXPECT_GE(percent, 0);
    EXPECT_LT(percent, 90) << part;
    sum += percent;
  }
  EXPECT_NEAR(sum, 100, 0.5) << "nine roundings";
  EXPECT_EQ(share(table.at("step")), 100);
  const auto trace = nlohmann::json::parse(read_text(path("trace.json")));
  std::map<std::string, int> calls;
  std::set<std::string> parts;
  for (const auto& event : trace["traceEvents"]) {
    ++calls[event["name"]];
    if (event.contains("cat")) parts.insert(event["cat"]);
  }
  EXPECT_EQ(parts, (std::set<std::string>{"attention", "data", "embedding", "loss", "matrix products",
                                          "normalisation", "optimiser", "other"}));
  EXPECT_EQ(calls["step"], 2);
  EXPECT_EQ(calls["aten::native_layer_norm"], 2 * 2 * 5) << "steps, micro-steps, norms";
  EXPECT_EQ(calls["cosformer::_attention_backward"], 2 * 2 * 2);
}

TEST_F(Verbs, AStepCanBeTriedWithoutTheData) {
  const std::string nowhere = "--data.path=" + path("nowhere");
  const Ended profiled = run({"profile", recipe(), "--steps=1", nowhere});
  EXPECT_EQ(profiled.exit_code, 0) << profiled.err;
  EXPECT_NE(profiled.out.find("random bytes"), std::string::npos) << profiled.out;
  expect_error(run({"profile", recipe(), nowhere, "--data.format=wikitext"}), 1, "nowhere");
}

TEST_F(Verbs, TrainingIsTimedStepByStep) {
  const Ended ended = run({"bench", "training", recipe(), "--steps=2"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  std::istringstream lines(ended.out);
  int step = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto report = nlohmann::json::parse(line);
    EXPECT_EQ(report["step"], ++step);
    EXPECT_EQ(report["tokens"], 3 * 2 * 16);
    EXPECT_GT(report["step_seconds"], 0);
    EXPECT_NEAR(report["loss"].get<double>(), std::log(256.0), 0.5);
  }
  EXPECT_EQ(step, 2);
}

TEST_F(Verbs, StepsThatAreTriedAreThoseOfTheTraining) {
  ASSERT_EQ(train("run", {"--train.steps=2", "--train.log_every=1"}).exit_code, 0);
  std::istringstream lines(run({"bench", "training", recipe(), "--steps=2"}).out);
  std::istringstream metrics(read_text(path("run/metrics.jsonl")));
  for (std::string line, logged; std::getline(lines, line);) {
    while (std::getline(metrics, logged) && nlohmann::json::parse(logged)["split"] != "train") {
    }
    EXPECT_EQ(nlohmann::json::parse(line)["loss"], nlohmann::json::parse(logged)["loss"]);
  }
}

TEST_F(Verbs, DescribeMeasuresARate) {
  const Ended ended = run({"describe", recipe(), "--measure"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const auto table = rows(ended.out);
  for (const char* row : {"tokens a second", "a step", "steps an epoch", "an epoch", "the run, 12 steps"})
    EXPECT_TRUE(table.contains(row)) << row << "\n" << ended.out;
  // 599 targets, 96 a step.
  EXPECT_NE(table.at("steps an epoch").find(" 6.2"), std::string::npos) << ended.out;
}

TEST_F(Verbs, WrongCommandLinesOfTrialsEndWith2) {
  expect_error(run({"profile"}), 2, "recipe is required");
  expect_error(run({"profile", recipe(), "--steps=0"}), 2, "--steps: expected an integer >= 1, got 0");
  expect_error(run({"profile", recipe(), "--steps=many"}), 2, "--steps");
  expect_error(run({"profile", recipe(), "--train.batch_sze=1"}), 2, "the nearest is train.batch_size");
  expect_error(run({"profile", recipe(), "more"}), 2, "more: expected an override --key=value");
  expect_error(run({"bench", "training", recipe(), "--steps=-1"}), 2,
               "--steps: expected an integer >= 1, got -1");
  expect_error(run({"bench", "training", recipe(), "--init", path("none")}), 1, "none/model.safetensors");
  expect_error(run({"describe", "--cpu", "--measure"}), 2, "describe --cpu: expected nothing else");
  expect_error(run({"profile", ""}), 2, "recipe: expected a TOML file, got an empty name");
  expect_error(run({"profile", recipe(), "--steps=99999999999999999999"}), 2,
               "--steps: expected an integer >= 1, got 99999999999999999999");
}

TEST_F(Verbs, WrongCommandLinesOfCurvesAndCostsEndWith2) {
  expect_error(run({"plot", ""}), 2, "runs: expected a folder, got an empty name");
  expect_error(run({"plot", path("run"), "--split=dev"}), 2, "--split: dev not in {");
  expect_error(run({"describe", recipe(), "--link=1"}), 2, "--link requires --ranks");
  for (const std::string number : {"0", "nan", "inf"}) {
    expect_error(run({"describe", recipe(), "--ranks=2", "--link=" + number}), 2,
                 "--link: expected a number > 0, got " + number);
  }
}

TEST_F(Verbs, TracesThatCannotBeWrittenEndWith1) {
  const Ended unwritten = run({"profile", recipe(), "--steps=1", "--trace", path("none/trace.json")});
  EXPECT_EQ(unwritten.exit_code, 1);
  EXPECT_NE(unwritten.err.find("none/trace.json"), std::string::npos) << unwritten.err;
}

}  // namespace
}  // namespace cosformer::cli::test
