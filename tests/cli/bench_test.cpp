#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bench/peak.h"
#include "cli/bench/attention.h"
#include "cli/bench/check.h"
#include "cli/bench/roofline.h"
#include "cli/bench/timing.h"

namespace cosformer::cli {
namespace {

/// The operator with one of its results off by `factor`.
Contender spoilt(at::Tensor AttentionPasses::*tensor, double factor) {
  Contender contender = operator_contender();
  contender.run = [=](const AttentionCase& c, bool backward) {
    AttentionPasses passes = operator_contender().run(c, backward);
    if ((passes.*tensor).defined()) passes.*tensor = (passes.*tensor).mul(factor);
    return passes;
  };
  return contender;
}

TEST(BenchCheck, AcceptsEveryWayToComputeAttention) {
  std::vector<Contender> all = {operator_contender()};
  for (const Isa isa : available_isas()) {
    for (const Form form : {Form::automatic, Form::quadratic, Form::chunked, Form::recurrent}) {
      all.push_back(kernel_contender(isa, form));
    }
  }
  const AttentionCase attention_case = make_case(1000, 2, 32, true);
  for (const Contender& contender : all) {
    SCOPED_TRACE(contender.name);
    EXPECT_NO_THROW(check_by_definition(contender, 2, 32, true));
    EXPECT_NO_THROW(check_by_other_form(contender, attention_case));
  }
  EXPECT_NO_THROW(check_by_definition(operator_contender(), 2, 32, false));
}

TEST(BenchCheck, RefusesAWrongResult) {
  for (const auto tensor : {&AttentionPasses::output, &AttentionPasses::d_query, &AttentionPasses::d_key,
                            &AttentionPasses::d_value}) {
    EXPECT_THROW(check_by_definition(spoilt(tensor, 1.001), 2, 32, true), WrongResult);
    EXPECT_THROW(check_by_definition(spoilt(tensor, std::nan("")), 2, 32, true), WrongResult);
    EXPECT_THROW(check_by_other_form(spoilt(tensor, 1.001), make_case(500, 2, 32, true)), WrongResult);
  }
}

TEST(BenchCheck, BeyondTheQuadraticFormTheRecurrenceIsCompared) {
  const AttentionCase attention_case = make_case(kLongestQuadratic + 1, 1, 8, true);
  EXPECT_NO_THROW(check_by_other_form(operator_contender(), attention_case));
  EXPECT_THROW(check_by_other_form(spoilt(&AttentionPasses::output, 1.01), attention_case), WrongResult);
}

TEST(Roofline, CountsWorkAsTheDefinitionSays) {
  const AttentionCase c = make_case(4096, 8, 64, true);
  // 2 N K V (H Tq + H Tk) with N = 2; q, k, v and o once.
  EXPECT_EQ(forward_work(c).operations, 2.0 * 2 * 64 * 64 * (2 * 8 * 4096));
  EXPECT_EQ(forward_work(c).bytes, 4.0 * 4 * 8 * 4096 * 64);
  EXPECT_EQ(backward_work(c).operations, 2.5 * forward_work(c).operations);
  EXPECT_EQ(backward_work(c).bytes, 2 * forward_work(c).bytes);
}

TEST(Roofline, FloorIsTheLargerOfArithmeticAndTraffic) {
  Roofline roofline(1);
  const Isa isa = available_isas().back();
  roofline.measure_arithmetic(isa);
  roofline.measure_bandwidth();
  const AttentionCase c = make_case(64, 1, 64, true);
  const double arithmetic = forward_work(c).operations / roofline.arithmetic(isa);
  const double traffic = forward_work(c).bytes / roofline.bandwidth();
  EXPECT_DOUBLE_EQ(roofline.floor(isa, c, false), std::max(arithmetic, traffic));
  EXPECT_GT(roofline.floor(isa, c, true), 2.9 * roofline.floor(isa, c, false));
}

TEST(Peak, GrowsWithTheInstructionSet) {
  const auto peak = [](Isa isa, double enough) {
    double best = 0;
    for (int i = 0; i < 100 && best <= enough; ++i) best = std::max(best, bench::peak_arithmetic(isa, 1));
    return best;  // tests run side by side: the processor is this one's only now and then
  };
  const double slowest = 1e9;  // slower than any processor that runs this
  EXPECT_GT(peak(Isa::generic, slowest), slowest);
  if (!available(Isa::avx2)) return;
  const double generic = peak(Isa::generic, 1e15), avx2 = peak(Isa::avx2, 1.2 * generic);
  EXPECT_GT(avx2, 1.2 * generic);
}

TEST(Timing, KeepsEveryCallAndTheBest) {
  Timing timing;
  EXPECT_TRUE(std::isinf(timing.best()));
  int calls = 0;
  measure_round(timing, [&] { ++calls; });
  measure_fresh(timing, [&] { ++calls; });
  EXPECT_EQ(timing.fresh_pages_milliseconds.size(), 3U);
  EXPECT_EQ(static_cast<std::size_t>(calls),
            timing.milliseconds.size() + timing.fresh_pages_milliseconds.size());
  EXPECT_EQ(timing.best(), *std::min_element(timing.milliseconds.begin(), timing.milliseconds.end()));
}

TEST(BenchAttention, ReportHoldsEveryWayAndSaysWhatWasSkipped) {
  AttentionBenchOptions options;
  options.lengths = {64, 128};
  options.heads = 1;
  options.width = 16;
  options.isas = {Isa::generic};
  options.forms = {Form::chunked, Form::recurrent};
  options.rounds = 1;
  options.longest_sdpa = 64;
  const nlohmann::json report = bench_attention(options);
  // operator and chunked: two passes at two lengths; the recurrence has no backward pass; SDPA one length.
  EXPECT_EQ(report["results"].size(), 2U * (2 + 2 + 1) + 2);
  EXPECT_EQ(report["skipped"], nlohmann::json::parse(R"([{"implementation": "SDPA", "length": 128}])"));
  for (const auto& r : report["results"]) {
    EXPECT_GT(r["milliseconds"].get<double>(), 0);
    EXPECT_GE(r["repeats_milliseconds"].size(), 1U);
  }
  EXPECT_NE(attention_table(report).find("SDPA skipped at T = 128"), std::string::npos);
  EXPECT_NE(attention_chart(report).find("generic chunked, with backward"), std::string::npos);
}

}  // namespace
}  // namespace cosformer::cli
