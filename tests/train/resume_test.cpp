#include "train/runs_on.h"

namespace cosformer::train::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Each, RunsOn, testing::ValuesIn(devices()),
                         [](const auto& info) { return info.param; });

TEST_P(RunsOn, StoppedAnywhereAndResumedTheyEqualAnUninterruptedOne) {
  run("whole");
  for (int64_t step = 1; step < recipe_.train.steps; ++step) {
    const std::string name = "stopped-" + std::to_string(step);
    const TrainResult result = run(name, false, step);
    EXPECT_EQ(result.stopped_by, "SIGTERM");
    EXPECT_EQ(result.step, step);
    EXPECT_TRUE(fs::exists(path(name) / "checkpoints"));
    EXPECT_EQ(run(name, true).stopped_by, std::nullopt);
    EXPECT_EQ(notes_, std::vector<std::string>{"continuing after step " + std::to_string(step)});
    expect_same("whole", name);
  }
  EXPECT_EQ(run("last", false, recipe_.train.steps).stopped_by, std::nullopt) << "nothing is left to stop";
}

TEST_P(RunsOn, OneDeviceGoOnOnAnother) {
  run("run", false, 5);
  recipe_.train.device = "cpu";
  EXPECT_EQ(run("run", true).step, recipe_.train.steps);
  const std::string another =
      R"(this is another machine (device "cpu", not "cuda"): the last bits may differ from )"
      "those of an uninterrupted run";
  EXPECT_EQ(notes_.front() == another, GetParam() == "cuda");
}

}  // namespace
}  // namespace cosformer::train::test
