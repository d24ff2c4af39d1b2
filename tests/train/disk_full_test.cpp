#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cosformer/error.h"
#include "support/errors.h"
#include "support/small_disk.h"
#include "support/temporary_folder.h"
#include "train/checkpoint_store.h"
#include "train/metrics_file.h"
#include "train/run_log.h"
#include "train/tensorboard_file.h"

namespace cosformer::train {
namespace {

class FullDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (disk_.error() != 0) {
      GTEST_SKIP() << "cannot mount a tmpfs here: " << std::strerror(disk_.error());
    }
  }
  void save(int64_t step, std::size_t floats) const {
    const std::vector<float> values(floats, static_cast<float>(step));
    store_.save(step, {{"weights", "F32", {static_cast<int64_t>(floats)}, std::as_bytes(std::span(values))}},
                "{}");
  }
  int64_t newest() const {
    const auto loaded = store_.load_newest([](const std::string& line) { ADD_FAILURE() << line; });
    return loaded ? loaded->step : -1;
  }

  const test::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path() / "disk";
  const test::SmallDisk disk_{folder_, "size=1m"};
  const CheckpointStore store_{folder_ / "checkpoints", 2};
};

TEST_F(FullDisk, TheLastCheckpointStaysWhole) {
  save(1, 100'000);
  const std::string error = test::message_of<IoError>([&] { save(2, 200'000); });
  EXPECT_NE(error.find("No space left on device"), std::string::npos) << error;
  EXPECT_EQ(newest(), 1);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "checkpoints" / ".step-00000002"));
  // Room again: the next one is saved.
  save(3, 100'000);
  EXPECT_EQ(newest(), 3);
}

TEST_F(FullDisk, MetricsSayThatTheyCannotBeWrittenAndGoOnWhereThereIsRoomAgain) {
  save(1, 10'000);
  const auto path = folder_ / "metrics.jsonl";
  int64_t last = 0;
  {
    MetricsFile metrics(path, 0);
    const std::string error = test::message_of<IoError>([&] {
      for (; last < 1'000'000; ++last) metrics.write({{"step", last + 1}, {"split", "train"}});
    });
    EXPECT_NE(error.find("metrics.jsonl: cannot write: No space left on device"), std::string::npos) << error;
  }
  EXPECT_GT(last, 1000);
  EXPECT_NE(test::read_text(path).back(), '\n') << "the line under way is cut";
  EXPECT_EQ(newest(), 1);
  // Nor is there room for cutting the file: it stays as it is.
  const std::string full = test::read_text(path);
  EXPECT_THROW(MetricsFile(path, last), IoError);
  EXPECT_EQ(test::read_text(path), full);
  disk_.resize("size=4m");
  MetricsFile(path, last).write({{"step", last + 1}});
  const std::string whole = full.substr(0, full.rfind('\n') + 1);
  EXPECT_EQ(test::read_text(path), whole + "{\"step\":" + std::to_string(last + 1) + "}\n");
  save(2, 10'000);
  EXPECT_EQ(newest(), 2);
}

TEST_F(FullDisk, CurvesSayThatTheyCannotBeWrittenAndGoOnWhereThereIsRoomAgain) {
  int64_t last = 0;
  {
    RunLog log(folder_, 0, "");
    const std::string error = test::message_of<IoError>([&] {
      for (; last < 1'000'000; ++last)
        log.write({{"step", last + 1}, {"split", "train"}, {"loss", 1}, {"spikes", 0}});
    });
    EXPECT_NE(error.find(": cannot write: No space left on device"), std::string::npos) << error;
  }
  EXPECT_GT(last, 1000);
  disk_.resize("size=4m");
  RunLog(folder_, last, "").write({{"step", last + 1}, {"split", "train"}, {"loss", 1}});
  std::istringstream lines(test::read_text(folder_ / "metrics.jsonl"));
  int64_t step = 0;
  for (std::string line; std::getline(lines, line);)
    EXPECT_EQ(nlohmann::json::parse(line).at("step"), ++step);
  EXPECT_EQ(step, last + 1) << "each line once";
}

TEST_F(FullDisk, EventsSayThatTheyCannotBeWritten) {
  TensorBoardFile events(folder_ / "tensorboard");
  const std::string error = test::message_of<IoError>([&] {
    for (int64_t step = 1; step < 100'000; ++step) events.write_scalar("train/loss", step, 1, 0);
  });
  EXPECT_EQ(error.find((folder_ / "tensorboard/events.out.tfevents.").string()), 0U) << error;
  EXPECT_TRUE(error.ends_with(": cannot write: No space left on device")) << error;
}

TEST_F(FullDisk, AReadOnlyFolderIsNamed) {
  save(1, 10);
  disk_.make_read_only();
  const std::string error = test::message_of<IoError>([&] { save(2, 10); });
  EXPECT_NE(error.find("Read-only file system"), std::string::npos) << error;
  EXPECT_NE(error.find(folder_.string()), std::string::npos) << error;
  EXPECT_EQ(newest(), 1);
}

}  // namespace
}  // namespace cosformer::train
