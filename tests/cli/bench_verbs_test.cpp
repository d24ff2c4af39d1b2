#include <nlohmann/json.hpp>

#include "cli/verbs_test.h"

namespace cosformer::cli::test {
namespace {

using cosformer::test::read_text;

TEST_F(Verbs, BenchAttentionFlagsThatAreWrongEndWith2) {
  expect_error(run({"bench", "attention", "--dtype=float16"}), 2,
               "--dtype: expected float32, bfloat16, or all, got float16");
  expect_error(run({"bench", "attention", "--mask=diagonal"}), 2,
               "--mask: expected causal, noncausal, cross, or all, got diagonal");
  expect_error(run({"bench", "attention", "--isa=mmx"}), 2, "--isa: ");
  expect_error(run({"bench", "attention", "--processes=0"}), 2, "--processes");
  expect_error(run({"bench", "attention", "--variants", "--processes=2"}), 2, "--variants: one process");
  expect_error(run({"bench", "step", "--dtype=int8"}), 2, "--dtype: expected float32");
  expect_error(run({"describe"}), 2, "recipe is required, or --cpu");
  expect_error(run({"describe", "--cpu", "--seed=2"}), 2, "describe --cpu: expected nothing else");
}

TEST_F(Verbs, BenchAttentionRunsSeveralProcessesAndKeepsEveryRepeat) {
  const Ended ended =
      run({"bench", "attention", "--lengths=32", "--heads=1", "--width=8", "--isa=generic", "--rounds=1",
           "--processes=2", "--json", path("report.json"), "--svg", path("report.svg")});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_NE(ended.out.find("best of 2 x 1 rounds"), std::string::npos) << ended.out;
  EXPECT_EQ(ended.out.find("T = 32"), std::string::npos) << "the processes' own tables are not shown";
  const auto report = nlohmann::json::parse(read_text(path("report.json")));
  EXPECT_EQ(report["processes"].size(), 2U);
  ASSERT_EQ(report["results"].size(), 6U) << "operator, generic and SDPA, two passes each";
  for (const auto& row : report["results"]) EXPECT_EQ(row["repeats_milliseconds"].size(), 2U);
  EXPECT_EQ(read_text(path("report.svg")).substr(0, 4), "<svg");
}

}  // namespace
}  // namespace cosformer::cli::test
