#include "cli/bench/peers.h"

#include <gtest/gtest.h>

#include <fstream>

#include "cli/bench/check.h"
#include "cli/bench/processes.h"
#include "cosformer/error.h"

namespace cosformer::cli {
namespace {

TEST(Peers, PlainLibTorchComputesTheSameAttention) {
  for (const Mask mask : {Mask::causal, Mask::noncausal}) {
    EXPECT_NO_THROW(check_by_definition(plain_torch_contender(2, 16, mask), 2, 16, mask, at::kFloat));
  }
}

TEST(Peers, PlainLibTorchIsSkippedWhereItsOuterProductsExceedAGibibyte) {
  EXPECT_EQ(plain_torch_contender(8, 64, Mask::causal).longest, (1 << 30) / (8 * 2 * 64 * 64 * 4));
  EXPECT_EQ(plain_torch_contender(8, 64, Mask::noncausal).longest, 0);
}

TEST(Peers, WhatIsMissingIsSaidInTheTable) {
  AttentionBenchOptions options;
  options.lengths = {32};
  options.heads = 1;
  options.width = 8;
  options.rounds = 1;
  options.peers = true;
  options.python = "no-such-python";
  const nlohmann::json report = bench_attention(options);
  EXPECT_EQ(report["results"].size(), 2U * 3) << "operator, plain LibTorch, SDPA";
  EXPECT_NE(
      attention_table(report).find("fast-transformers skipped, float32, causal: no-such-python not found"),
      std::string::npos);
}

TEST(Peers, APythonThatFailsIsAnError) {
  AttentionBenchOptions options;
  options.python = "false";
  EXPECT_THROW(measure_fast_transformers(options), std::runtime_error);
}

TEST(Processes, ProgramsWriteToAFileAndTellHowTheyEnded) {
  const TemporaryFile file;
  EXPECT_EQ(run_program({"sh", "-c", "echo heard; exit 3"}, file.path()), 3);
  std::ifstream text(file.path());
  std::string line;
  std::getline(text, line);
  EXPECT_EQ(line, "heard");
  EXPECT_EQ(run_program({"sh", "-c", "kill -9 $$"}, "/dev/null"), -1);
  EXPECT_EQ(run_program({"no-such-program"}, "/dev/null"), kNotFound);
}

}  // namespace
}  // namespace cosformer::cli
