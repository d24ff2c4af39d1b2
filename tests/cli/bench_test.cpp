#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <set>
#include <thread>

#include "bench/peak.h"
#include "cli/bench/attention.h"
#include "cli/bench/check.h"
#include "cli/bench/roofline.h"
#include "cli/bench/timing.h"
#include "cosformer/error.h"
#include "cosformer/parallel.h"

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

constexpr Mask kMasks[] = {Mask::causal, Mask::noncausal, Mask::cross};

TEST(BenchCheck, AcceptsEveryWayToComputeAttention) {
  std::vector<Contender> all = {operator_contender()};
  for (const Isa isa : available_isas()) {
    for (const Form form : {Form::automatic, Form::quadratic, Form::chunked}) {
      all.push_back(kernel_contender(isa, form));
    }
  }
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const Mask mask : kMasks) {
      const AttentionCase attention_case = make_case(1000, 2, 32, mask, dtype);
      CaseCheck check(attention_case);
      for (const Contender& contender : all) {
        SCOPED_TRACE(contender.name + ", " + name(dtype) + ", " + name(mask));
        EXPECT_NO_THROW(check_by_definition(contender, 2, 32, mask, dtype));
        EXPECT_NO_THROW(check(contender));
      }
    }
    const AttentionCase attention_case = make_case(1000, 2, 32, Mask::causal, dtype);
    CaseCheck check(attention_case);
    for (const Isa isa : available_isas()) {
      const Contender recurrence = kernel_contender(isa, Form::recurrent);
      EXPECT_NO_THROW(check_by_definition(recurrence, 2, 32, Mask::causal, dtype));
      EXPECT_NO_THROW(check(recurrence));
    }
  }
}

TEST(BenchCheck, RefusesAWrongResult) {
  for (const auto& [dtype, factor] : {std::pair{at::kFloat, 1.001}, std::pair{at::kBFloat16, 1.03}}) {
    for (const Mask mask : kMasks) {
      const AttentionCase attention_case = make_case(500, 2, 32, mask, dtype);
      for (const auto tensor : {&AttentionPasses::output, &AttentionPasses::d_query, &AttentionPasses::d_key,
                                &AttentionPasses::d_value}) {
        for (const double wrong : {factor, std::nan("")}) {
          EXPECT_THROW(check_by_definition(spoilt(tensor, wrong), 2, 32, mask, dtype), WrongResult);
          CaseCheck check(attention_case);
          EXPECT_THROW(check(spoilt(tensor, wrong)), WrongResult);
        }
      }
    }
  }
}

TEST(BenchCheck, BeyondTheQuadraticFormTheOtherFormsAndSetsAreCompared) {
  for (const Mask mask : kMasks) {
    const AttentionCase attention_case = make_case(kLongestQuadratic + 1, 1, 8, mask);
    CaseCheck check(attention_case);
    EXPECT_NO_THROW(check(operator_contender()));
    for (const Isa isa : available_isas()) EXPECT_NO_THROW(check(kernel_contender(isa, Form::chunked)));
    EXPECT_THROW(check(spoilt(&AttentionPasses::output, 1.01)), WrongResult);
    EXPECT_THROW(check(spoilt(&AttentionPasses::d_key, 1.01)), WrongResult);
  }
}

TEST(Roofline, CountsWorkAsTheDefinitionSays) {
  const AttentionCase c = make_case(4096, 8, 64, Mask::causal);
  // 2 N K V (H Tq + H Tk) with N = 2; q, k, v and o once.
  EXPECT_EQ(forward_work(c).operations, 2.0 * 2 * 64 * 64 * (2 * 8 * 4096));
  EXPECT_EQ(forward_work(c).bytes, 4.0 * 4 * 8 * 4096 * 64);
  EXPECT_EQ(backward_work(c).operations, 2.5 * forward_work(c).operations);
  EXPECT_EQ(backward_work(c).bytes, 2 * forward_work(c).bytes);
  const AttentionCase half = converted(c, at::kBFloat16);
  EXPECT_EQ(forward_work(half).operations, forward_work(c).operations);
  EXPECT_EQ(forward_work(half).bytes, forward_work(c).bytes / 2);
}

TEST(Roofline, FloorIsTheLargerOfArithmeticAndTrafficOfEachPass) {
  EXPECT_EQ(floor_seconds({{100, 30}}, 10, 10), 10);
  EXPECT_EQ(floor_seconds({{100, 300}}, 10, 10), 30);
  EXPECT_EQ(floor_seconds({{100, 30}, {20, 60}}, 10, 10), 10 + 6);
}

/// Measured until it shows more than `enough`: tests run side by side, so the processor is this one's only
/// now and then.
double peak(Isa isa, bench::Operand operand, double enough) {
  double best = 0;
  for (int i = 0; i < 30 && best <= enough; ++i) {
    best = std::max(best, bench::peak_arithmetic(isa, operand, 1));
  }
  return best;
}

constexpr double kUnreachable = 1e18;  // so that all rounds are measured

TEST(Peak, GrowsWithTheInstructionSet) {
  double least = 1e9;  // slower than any processor that runs this
  for (const Isa isa : available_isas()) {
    if (isa > Isa::avx512) break;  // those have bfloat16 to offer
    if (isa == Isa::avx512) least *= 0.5;
    EXPECT_GT(peak(isa, bench::Operand::float32, least), least) << name(isa);
    const double floats = peak(isa, bench::Operand::float32, kUnreachable);
    EXPECT_GT(peak(isa, bench::Operand::bfloat16, 0.5 * floats), 0.5 * floats) << "which is widened";
    least = 1.2 * floats;
  }
}

TEST(Peak, ProductsOfBfloat16AreOfTheSetsThatHaveThem) {
  if (!available(Isa::avx512_bf16)) GTEST_SKIP() << "this machine lacks AVX512_BF16";
  const double floats = peak(Isa::avx512_bf16, bench::Operand::float32, kUnreachable);
  // Twice the rate of floats on AMD, half on Intel.
  EXPECT_GT(peak(Isa::avx512_bf16, bench::Operand::bfloat16, 0.4 * floats), 0.4 * floats);
  if (!available(Isa::amx)) GTEST_SKIP() << "this machine lacks AMX";
  EXPECT_GT(peak(Isa::amx, bench::Operand::bfloat16, 4 * floats), 4 * floats);
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

/// Pages that a call touched first.
long page_faults(const std::function<void()>& call) {
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  call();
  getrusage(RUSAGE_SELF, &after);
  return after.ru_minflt - before.ru_minflt;
}

TEST(Timing, TheBestCallWritesToTouchedMemoryAndFreshCallsDoNot) {
  keep_freed_memory();
  const AttentionCase c = make_case(16384, 4, 64, Mask::causal);
  const auto call = [&] { operator_contender().run(c, true); };
  call();
  constexpr long kOutputPages = 4L * 4 * 16384 * 4 * 64 / 4096;  // output and three gradients
  // Now and then the heap still grows by a piece that no free one fits.
  long fewest = kOutputPages;
  for (int i = 0; i < 10; ++i) fewest = std::min(fewest, page_faults(call));
  EXPECT_LT(fewest, kOutputPages / 20);
  Timing timing;
  EXPECT_GT(page_faults([&] { measure_fresh(timing, call); }), 3 * kOutputPages / 2);
}

AttentionBenchOptions small_bench() {
  AttentionBenchOptions options;
  options.lengths = {64, 128};
  options.heads = 1;
  options.width = 16;
  options.isas = {Isa::generic};
  options.forms = {Form::chunked, Form::recurrent};
  options.rounds = 1;
  options.longest_sdpa = 64;
  return options;
}

/// Cores that each of two threads may run on.
std::vector<std::set<int>> cores_of_two_threads() {
  std::vector<std::set<int>> cores(2);
  std::atomic<int> begun = 0;
  parallel_for_on(2, 2, [&](int64_t task) {
    // Until the other task has begun too: each of them is on a thread of its own.
    ++begun;
    for (const auto start = std::chrono::steady_clock::now();
         begun < 2 && std::chrono::steady_clock::now() - start < std::chrono::seconds(10);)
      std::this_thread::yield();
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &allowed)) cores[static_cast<std::size_t>(task)].insert(core);
    }
  });
  return cores;
}

TEST(BoundThreads, KeepsEachThreadOnACoreOfItsOwn) {
#ifdef COSFORMER_STD_THREADS
  GTEST_SKIP() << "threads are new in every call";
#endif
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  if (CPU_COUNT(&allowed) < 2) GTEST_SKIP() << "one core";
  at::set_num_threads(2);
  const std::vector<std::set<int>> before = cores_of_two_threads();
  {
    const BoundThreads bound(2);
    const std::vector<std::set<int>> cores = cores_of_two_threads();
    EXPECT_EQ(cores[0].size(), 1U);
    EXPECT_EQ(cores[1].size(), 1U);
    EXPECT_NE(cores[0], cores[1]);
  }
  EXPECT_EQ(cores_of_two_threads(), before);
}

TEST(BenchAttention, ReportHoldsEveryWayAndSaysWhatWasSkipped) {
  const nlohmann::json report = bench_attention(small_bench());
  // operator and chunked: two passes at two lengths; the recurrence has no backward pass; SDPA one length.
  EXPECT_EQ(report["results"].size(), 2U * (2 + 2 + 1) + 2);
  ASSERT_EQ(report["skipped"].size(), 1U);
  EXPECT_EQ(report["skipped"][0]["implementation"], "SDPA");
  EXPECT_EQ(report["skipped"][0]["length"], 128);
  for (const auto& row : report["results"]) {
    EXPECT_GT(row["milliseconds"].get<double>(), 0);
    ASSERT_EQ(row["repeats_milliseconds"].size(), 1U) << "a list for each process";
    EXPECT_GE(row["repeats_milliseconds"][0].size(), 1U);
    EXPECT_EQ(row.contains("percent_of_roofline"), row["implementation"] != "SDPA");
    EXPECT_EQ(row.contains("times_faster_than_sdpa"), row["length"] == 64);
  }
  EXPECT_NE(attention_table(report).find("SDPA skipped, float32, causal, T = 128: would take too long"),
            std::string::npos);
  EXPECT_NE(attention_chart(report).find("generic chunked, with backward"), std::string::npos);
}

TEST(BenchAttention, EveryDtypeAndMaskHasItsRowsAndCharts) {
  AttentionBenchOptions options = small_bench();
  options.lengths = {64};
  options.isas = available_isas();
  options.dtypes = {at::kFloat, at::kBFloat16};
  options.masks = {Mask::causal, Mask::noncausal, Mask::cross};
  const nlohmann::json report = bench_attention(options);
  std::set<std::string> groups, sets[2];
  for (const auto& row : report["results"]) {
    groups.insert(row["dtype"].get<std::string>() + " " + row["mask"].get<std::string>());
    if (row["implementation"] != "operator" && row["implementation"] != "SDPA")
      sets[row["dtype"] == "bfloat16"].insert(row["isa"]);
    EXPECT_GT(
        report["peak_gigaflops_per_second"][row["dtype"].get<std::string>()][row["isa"].get<std::string>()],
        0);
  }
  EXPECT_EQ(groups.size(), 6U);
  EXPECT_EQ(sets[0].size(), std::min<std::size_t>(3, available_isas().size()));
  EXPECT_EQ(sets[1].size(), available_isas().size());
  const std::string chart = attention_chart(report);
  for (const char* title : {"time against length, bfloat16, cross",
                            "percent of the roofline against length, "
                            "float32, noncausal"})
    EXPECT_NE(chart.find(title), std::string::npos) << title;
}

/// A report of one row, 100 ms of work at 10 GF/s, as one process writes it.
nlohmann::json report_of_process(std::vector<double> milliseconds, double peak) {
  return {{"processes",
           {{{"peak_gigaflops_per_second", {{"float32", {{"avx2", peak}}}}},
             {"bandwidth_gigabytes_per_second", 5.0}}}},
          {"results",
           {{{"dtype", "float32"},
             {"mask", "causal"},
             {"length", 64},
             {"implementation", "operator"},
             {"isa", "avx2"},
             {"pass", "forward"},
             {"work", {{{"operations", 1e9}, {"bytes", 1e6}}}},
             {"repeats_milliseconds", {milliseconds}},
             {"repeats_fresh_pages_milliseconds", {{300.0}}}}}}};
}

TEST(BenchAttention, ReportsOfProcessesAreMergedByTheBestOfAll) {
  const nlohmann::json merged =
      merged_reports({report_of_process({210, 200}, 10), report_of_process({125, 140}, 8)});
  const auto& row = merged["results"][0];
  EXPECT_EQ(row["milliseconds"], 125);
  EXPECT_EQ(row["repeats_milliseconds"], nlohmann::json::parse("[[210.0, 200.0], [125.0, 140.0]]"));
  EXPECT_DOUBLE_EQ(row["percent_of_roofline"], 100 * 100 / 125.0) << "of the highest peak of all";
  EXPECT_EQ(merged["processes"].size(), 2U);
  nlohmann::json other = report_of_process({1}, 1);
  other["results"][0]["length"] = 65;
  EXPECT_THROW(merged_reports({report_of_process({1}, 1), other}), FormatError);
}

}  // namespace
}  // namespace cosformer::cli
