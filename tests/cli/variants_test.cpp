#include "cli/bench/variants.h"

#include <gtest/gtest.h>

#include "cli/bench/check.h"
#include "cli/bench/step.h"
#include "cli/bench/timing.h"

namespace cosformer::cli {
namespace {

TEST(Variants, AreRightAndHaveAsManyTokensAsTheirDenseCase) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const Mask mask : {Mask::causal, Mask::noncausal}) {
      const std::vector<Variant> all = make_variants(403, 4, 16, mask, dtype);
      EXPECT_EQ(all.size(), mask == Mask::causal ? 7U : 6U) << "decay is causal";
      for (const Variant& v : all) {
        SCOPED_TRACE(v.name);
        EXPECT_NO_THROW(check(v));
        EXPECT_EQ(v.variant.inputs.T, 403);
        EXPECT_EQ(v.dense.inputs.query.size(1), 403);
        // A padded row is 0; no other is, with random values.
        const at::Tensor output = run_attention(v.variant.inputs, v.variant.attention, false).output;
        EXPECT_EQ(output.flatten(0, -3).abs().amax({1, 2}).ne(0).sum().item<int64_t>(), 403);
      }
    }
  }
}

TEST(Variants, AWrongOneIsRefused) {
  for (const auto side : {&Variant::variant, &Variant::dense}) {
    Variant v = make_variants(100, 4, 16, Mask::causal, at::kFloat)[0];
    // Half of the output, in float32 alone: the reference stays.
    (v.*side).attention = [right = (v.*side).attention](const at::Tensor& q, const at::Tensor& k,
                                                        const at::Tensor& value) {
      const at::Tensor output = right(q, k, value);
      return q.scalar_type() == at::kFloat ? output.mul(0.5) : output;
    };
    EXPECT_THROW(check(v), WrongResult);
  }
}

TEST(Variants, ReportHasBothTimesOfEveryPass) {
  AttentionBenchOptions options;
  options.lengths = {64};
  options.heads = 4;
  options.width = 16;
  options.rounds = 1;
  const nlohmann::json report = bench_variants(options);
  ASSERT_EQ(report["results"].size(), 2U * 7);
  for (const auto& row : report["results"]) {
    EXPECT_DOUBLE_EQ(row["ratio"],
                     row["milliseconds"].get<double>() / row["dense_milliseconds"].get<double>());
    EXPECT_GT(row["ratio"], 0);
    EXPECT_NE(variants_table(report).find(row["variant"]), std::string::npos);
  }
}

TEST(BenchStep, CountsReadingAndWritingOfStates) {
  StepBenchOptions options;
  options.batch = 8;
  options.heads = 2;
  options.width = 32;
  options.rounds = 1;
  options.dtypes = {at::kFloat, at::kBFloat16};
  const nlohmann::json report = bench_step(options);
  ASSERT_EQ(report["results"].size(), 2U);
  const double states = 8 * 2 * 2 * (32 * 32 + 32) * 4;
  for (const auto& row : report["results"]) {
    EXPECT_EQ(row["state_bytes"], states);
    const double inputs = 4.0 * 8 * 2 * 32 * (row["dtype"] == "bfloat16" ? 2 : 4);
    EXPECT_NEAR(row["gigabytes_per_second"].get<double>() * row["milliseconds"].get<double>() * 1e6,
                2 * states + inputs, 1);
    EXPECT_GT(row["small_call_microseconds"], 0);
  }
  EXPECT_NE(step_table(report).find("bfloat16"), std::string::npos);
}

}  // namespace
}  // namespace cosformer::cli
