#include "cli/run_curves.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cosformer/error.h"
#include "support/temporary_folder.h"
#include "train/tiny_recipe.h"

namespace cosformer::cli {
namespace {

class RunCurves : public testing::Test {
 protected:
  /// A run of which line i holds the validation loss of step 10 (i + 1), "null" included.
  std::string run(const std::string& name, int64_t seed, const std::vector<std::string>& losses,
                  double learning_rate = 1e-2) {
    train::Recipe recipe = train::test::tiny_recipe();
    recipe.data.path = "text";
    recipe.seed = seed;
    recipe.optimizer.learning_rate = learning_rate;
    folder_.write(name + "/recipe.toml", to_toml(recipe));
    std::string lines;
    for (std::size_t i = 0; i < losses.size(); ++i) {
      lines += "{\"step\": " + std::to_string(10 * (i + 1)) +
               ", \"split\": \"valid\", \"loss\": " + losses[i] + "}\n";
    }
    folder_.write(name + "/metrics.jsonl", lines);
    return path(name);
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  const cosformer::test::TemporaryFolder folder_;
};

TEST_F(RunCurves, SeedsAreOneCurveAndAnotherRecipeIsAnother) {
  const auto curves = run_curves(
      {run("a-1", 1, {"3", "2"}), run("b", 1, {"9"}, 0.5), run("a-2", 2, {"5", "1"})}, "valid", "loss");
  ASSERT_EQ(curves.size(), 2U);
  EXPECT_EQ(curves[0].name, "a, 2 runs, min to max");
  ASSERT_EQ(curves[0].points.size(), 2U);
  EXPECT_EQ(curves[0].points[0].x, 10);
  EXPECT_EQ(curves[0].points[0].y, 4);
  EXPECT_EQ(curves[0].points[1].y, 1.5);
  ASSERT_EQ(curves[0].band.size(), 2U);
  EXPECT_EQ(curves[0].band[0].low, 3);
  EXPECT_EQ(curves[0].band[0].high, 5);
  EXPECT_EQ(curves[0].band[1].low, 1);
  EXPECT_EQ(curves[1].name, "b");
  EXPECT_TRUE(curves[1].band.empty());
}

TEST_F(RunCurves, TheBandEndsWhereFewerThanTwoRunsGoOn) {
  const auto curves = run_curves(
      {run("a-1", 1, {"3", "2", "1"}), run("a-2", 2, {"5"}), run("a-3", 3, {"4", "4"})}, "valid", "loss");
  ASSERT_EQ(curves.size(), 1U);
  ASSERT_EQ(curves[0].points.size(), 3U);
  EXPECT_EQ(curves[0].points[1].y, 3);
  EXPECT_EQ(curves[0].points[2].y, 1);
  ASSERT_EQ(curves[0].band.size(), 2U);
  EXPECT_EQ(curves[0].band[1].x, 20);
}

TEST_F(RunCurves, ALossThatIsNotFiniteInOneRunLeavesAGap) {
  const auto curves =
      run_curves({run("a-1", 1, {"3", "null", "1"}), run("a-2", 2, {"5", "4", "3"})}, "valid", "loss");
  ASSERT_EQ(curves[0].points.size(), 3U);
  EXPECT_TRUE(std::isnan(curves[0].points[1].y));
  EXPECT_TRUE(std::isnan(curves[0].band[1].low));
  EXPECT_EQ(curves[0].points[2].y, 2);
}

TEST_F(RunCurves, ARunWithoutAReadableRecipeStandsAlone) {
  const std::string known = run("a-1", 1, {"3"}), absent = run("a-2", 2, {"5"}),
                    damaged = run("a-3", 3, {"4"});
  std::filesystem::remove(absent + "/recipe.toml");
  folder_.write("a-3/recipe.toml", "seed = = 3\n");
  const auto curves = run_curves({known, absent, damaged}, "valid", "loss");
  ASSERT_EQ(curves.size(), 3U);
  EXPECT_EQ(curves[1].name, "a-2");
}

TEST_F(RunCurves, RunsWithoutACommonNameTakeTheFirstOnes) {
  EXPECT_EQ(run_curves({run("one", 1, {"3"}), run("two", 2, {"5"})}, "valid", "loss")[0].name,
            "one, 2 runs, min to max");
}

TEST_F(RunCurves, TheChartHasABandAndSaysWhatItIs) {
  const std::string first = run("a-1", 1, {"3", "2"}), second = run("a-2", 2, {"5", "1"});
  const std::string both = metric_chart({first, second}, "valid", "loss");
  EXPECT_NE(both.find("<path class=\"band\" d=\"M"), std::string::npos);
  EXPECT_NE(both.find("a, 2 runs, min to max"), std::string::npos);
  EXPECT_NE(both.find("mean of runs that differ in seed alone"), std::string::npos);
  const std::string one = metric_chart({first}, "valid", "loss");
  EXPECT_EQ(one.find("<path class=\"band\""), std::string::npos);
  EXPECT_EQ(one.find("mean of runs"), std::string::npos);
}

TEST_F(RunCurves, WithoutAFileOrAMetricThereIsNoChart) {
  EXPECT_THROW(metric_chart({path("none")}, "valid", "loss"), IoError);
  EXPECT_THROW(metric_chart({run("a", 1, {"3"})}, "train", "loss"), FormatError);
}

}  // namespace
}  // namespace cosformer::cli
