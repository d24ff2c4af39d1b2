#include "cli/bench/metrics.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <fstream>

#include "cosformer/error.h"
#include "support/errors.h"

namespace cosformer::cli {
namespace {

class Metrics : public testing::Test {
 protected:
  void SetUp() override {
    run_ = std::filesystem::path(testing::TempDir()) /
           ("metrics-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(run_);
    std::filesystem::create_directories(run_);
  }
  void TearDown() override { std::filesystem::remove_all(run_); }
  void write(const std::string& text) { std::ofstream(run_ / "metrics.jsonl") << text; }

  std::filesystem::path run_;
};

TEST_F(Metrics, ReadsOneSplitByStep) {
  write(
      "{\"step\": 1, \"split\": \"train\", \"loss\": 9}\n"
      "{\"step\": 2, \"split\": \"valid\", \"loss\": 3}\n"
      "{\"step\": 4, \"split\": \"valid\", \"loss\": null}\n"
      "{\"step\": 2, \"split\": \"valid\", \"loss\": 2.5}\n");
  const auto points = read_metric(run_, "valid", "loss");
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0].x, 2);
  EXPECT_EQ(points[0].y, 2.5) << "of a step written twice, the later line counts";
  EXPECT_TRUE(std::isnan(points[1].y));
}

TEST_F(Metrics, ForgivesAnUnfinishedLastLineOnly) {
  write("{\"step\": 1, \"split\": \"valid\", \"loss\": 3}\n{\"step\": 2, \"spl");
  EXPECT_EQ(read_metric(run_, "valid", "loss").size(), 1U);
  write("{\"step\": 1, \"spl\n{\"step\": 2, \"split\": \"valid\", \"loss\": 3}\n");
  EXPECT_THROW(read_metric(run_, "valid", "loss"), FormatError);
  write("[1]\n");
  EXPECT_THROW(read_metric(run_, "valid", "loss"), FormatError);
}

TEST_F(Metrics, WhatIsNoFileAndWhatIsNoNumberAreRefused) {
  write("{\"step\": 1, \"split\": \"valid\", \"loss\": \"low\"}\n");
  EXPECT_EQ(test::message_of<FormatError>([&] { read_metric(run_, "valid", "loss"); }),
            (run_ / "metrics.jsonl").string() + ":1: expected a number as loss, got \"low\"");
  const auto refuse = [&] {
    EXPECT_EQ(test::message_of<IoError>([&] { read_metric(run_, "valid", "loss"); }),
              (run_ / "metrics.jsonl").string() + ": expected a file, got something else");
    std::filesystem::remove(run_ / "metrics.jsonl");
  };
  std::filesystem::remove(run_ / "metrics.jsonl");
  ASSERT_EQ(mkfifo((run_ / "metrics.jsonl").c_str(), 0600), 0);
  refuse();
  std::filesystem::create_directory(run_ / "metrics.jsonl");
  refuse();
}

TEST_F(Metrics, ARunIsNamedAfterItsFolder) {
  EXPECT_EQ(run_name("runs/quickstart-1/softmax"), "softmax");
  EXPECT_EQ(run_name("runs/softmax/"), "softmax");
}

}  // namespace
}  // namespace cosformer::cli
