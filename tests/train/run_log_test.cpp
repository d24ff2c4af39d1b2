#include "train/run_log.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "support/temporary_folder.h"

namespace cosformer::train {
namespace {

namespace fs = std::filesystem;

struct Point {
  double unix_seconds;
  uint64_t step;
  bool operator==(const Point&) const = default;
};

/// Of the events of a file of records; those of step 0 tell of the file itself.
std::vector<Point> points_in(const std::string& records) {
  std::vector<Point> points;
  for (std::size_t at = 0; at + 16 <= records.size();) {
    uint64_t length = 0;
    std::memcpy(&length, records.data() + at, 8);
    const std::string event = records.substr(at + 12, length);
    at += 16 + length;
    Point point{};
    std::memcpy(&point.unix_seconds, event.data() + 1, 8);
    if (event.at(9) == 0x10) point.step = static_cast<unsigned char>(event.at(10));  // below 128
    if (point.step > 0) points.push_back(point);
  }
  return points;
}

TEST(RunLog, GoesOnAfterTheClockWasSetBack) {
  const test::TemporaryFolder folder;
  // Written when the clock was wrong by a century and more, then by less.
  const std::string before =
      "{\"step\":1,\"split\":\"train\",\"loss\":2.5,\"unix_seconds\":9000000000.0}\n"
      "{\"step\":2,\"split\":\"train\",\"loss\":2.0,\"unix_seconds\":8000000000.0}\n";
  folder.write("metrics.jsonl", before);
  const std::string old_events = "events.out.tfevents.9000000000.host.9.0";
  folder.write("tensorboard/" + old_events, "");
  double now = 0;
  {
    RunLog log(folder.path(), 2, "");
    log.write({{"step", 3}, {"split", "train"}, {"loss", 1.5}});
    log.sync();
  }
  const std::string metrics = test::read_text(folder.path() / "metrics.jsonl");
  ASSERT_TRUE(metrics.starts_with(before)) << "no line is dropped or moved";
  const auto line = nlohmann::json::parse(metrics.substr(before.size()));
  EXPECT_EQ(line["step"], 3);
  now = line["unix_seconds"];
  EXPECT_LT(now, 8e9);
  std::vector<fs::path> events;
  for (const auto& entry : fs::directory_iterator(folder.path() / "tensorboard"))
    events.push_back(entry.path());
  ASSERT_EQ(events.size(), 1U);
  EXPECT_GT(events[0].filename().string(), old_events) << "a reader looks for later names alone";
  EXPECT_EQ(points_in(test::read_text(events[0])), (std::vector<Point>{{9e9, 1}, {8e9, 2}, {now, 3}}));
}

}  // namespace
}  // namespace cosformer::train
