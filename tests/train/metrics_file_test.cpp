#include "train/metrics_file.h"

#include <nlohmann/json.hpp>

#include "support/temporary_folder.h"

namespace cosformer::train {
namespace {

TEST(MetricsFile, IsALineAnObject) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  {
    MetricsFile metrics(path, 0);
    metrics.write({{"step", 1}, {"split", "train"}, {"loss", 0.1}});
    metrics.write({{"step", 1}, {"split", "valid"}, {"loss", 1.0 / 3}});
    metrics.sync();
  }
  EXPECT_EQ(test::read_text(path),
            "{\"step\":1,\"split\":\"train\",\"loss\":0.1}\n"
            "{\"step\":1,\"split\":\"valid\",\"loss\":0.3333333333333333}\n");
}

TEST(MetricsFile, GoesOnAfterAStep) {
  const test::TemporaryFolder folder;
  const std::string first = "{\"step\":1,\"loss\":1}\n", second = "{\"step\":2,\"loss\":1}\n";
  const auto left = [&](const std::string& text, int64_t last_step) {
    const auto path = folder.write("metrics.jsonl", text);
    MetricsFile(path, last_step).write({{"step", 9}});
    const std::string all = test::read_text(path);
    EXPECT_TRUE(all.ends_with("{\"step\":9}\n"));
    return all.substr(0, all.size() - 11);
  };
  EXPECT_EQ(left(first + second, 2), first + second);
  EXPECT_EQ(left(first + second, 1), first);
  EXPECT_EQ(left(first + second, 0), "");
  EXPECT_EQ(left(first + second.substr(0, 7), 2), first) << "a line cut short by a kill";
  EXPECT_EQ(left(first + second.substr(0, second.size() - 1), 2), first) << "or by its end alone";
  EXPECT_EQ(left(first + std::string(5, '\0') + "\n" + second, 2), first + second)
      << "or never written before a power failure";
}

}  // namespace
}  // namespace cosformer::train
