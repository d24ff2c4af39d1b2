#include <ATen/Parallel.h>
#include <ATen/ops/add.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "bench/peak.h"
#include "cli/profile/product_peak.h"
#include "cli/profile/recorder.h"
#include "cli/profile/report.h"

namespace cosformer::cli {
namespace {

int64_t time_of(const std::vector<PlacedEvent>& events, Part part, uint64_t thread = 1) {
  return part_times(events, thread)[static_cast<std::size_t>(part)];
}

/// A step of 100 ns on thread 1 and a call on another one.
std::vector<OperatorEvent> made_events() {
  return {{"aten::empty", 1, 12, 14},
          {"aten::addmm", 1, 10, 30},
          {"aten::gelu", 1, 30, 35},
          {"aten::sum", 1, 45, 48},
          {"aten::mm", 1, 50, 60},
          {"aten::log", 1, 60, 66},
          {"aten::mm", 2, 0, 1000},
          {"cosformer::head_loss", 1, 40, 70},
          {"aten::mul", 1, 75, 80},
          {"aten::mm", 1, 80, 81},
          {"cosformer::optimizer", 1, 74, 90},
          {kStepEvent, 1, 0, 100},
          {"aten::mm", 1, 200, 300}};
}

TEST(Profile, ACallIsTakenFromTheOneThatMadeIt) {
  const auto events = placed(made_events());
  EXPECT_EQ(time_of(events, Part::matrix_products), 20 + 10) << "the loss's product is a product";
  EXPECT_EQ(time_of(events, Part::loss), 30 - 10);
  EXPECT_EQ(time_of(events, Part::optimiser), 16) << "its product is its own";
  EXPECT_EQ(time_of(events, Part::other), 100 - 20 - 30 - 16) << "gelu, and between operators";
  const auto times = part_times(events, 1);
  EXPECT_EQ(std::reduce(times.begin(), times.end()), 100) << "what lies outside the step does not count";
  EXPECT_DOUBLE_EQ(percent_outside(times), 50);
}

TEST(Profile, OperatorsHaveParts) {
  EXPECT_EQ(part_of("aten::embedding_dense_backward"), Part::embedding);
  EXPECT_EQ(part_of("cosformer::_attention_backward"), Part::attention);
  EXPECT_EQ(part_of("aten::_scaled_dot_product_flash_attention_for_cpu_backward"), Part::attention);
  EXPECT_EQ(part_of("aten::native_layer_norm_backward"), Part::normalisation);
  EXPECT_EQ(part_of("c10d::allreduce_"), Part::communication);
  EXPECT_EQ(part_of("aten::mul"), std::nullopt);
  EXPECT_EQ(part_of("aten::min"), std::nullopt);
}

TEST(Profile, TheTableHasSharesOperationsAndTheSlowestOperators) {
  const ProfileFacts facts{.steps = 1,
                           .thread = 1,
                           .operations = {.projections = 1, .attention = 0, .ffn = 2, .head = 3},
                           .peak = 1e9};
  const std::string table = profile_table(placed(made_events()), facts);
  // 6 operations in 30 ns are 0.2 GFLOP/s.
  EXPECT_NE(table.find("matrix products       0.00   30.0 %          0.00      0.2   20.0 %"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("softmax of the loss: 50.0 %"), std::string::npos) << table;
  EXPECT_LT(table.find("between operators"), table.find("aten::gelu")) << table;
}

TEST(Profile, TheTraceIsJsonThatViewersOpen) {
  const auto trace = nlohmann::json::parse(trace_json(placed(made_events()), 1));
  std::size_t calls = 0;
  for (const auto& event : trace["traceEvents"]) {
    if (event["ph"] == "M") continue;
    ++calls;
    EXPECT_EQ(event["ph"], "X");
    for (const char* key : {"name", "cat"}) EXPECT_TRUE(event[key].is_string());
    for (const char* key : {"ts", "dur", "pid", "tid"}) EXPECT_TRUE(event[key].is_number());
  }
  EXPECT_EQ(calls, made_events().size());
}

TEST(ProductPeak, CountsOperationsASecond) {
  const int threads = at::get_num_threads();
  const double most = bench::peak_arithmetic(available_isas().back(), bench::Operand::float32, threads);
  const double reached = product_peak(c10::kCPU, at::kFloat, 512);
  EXPECT_LT(reached, 3 * most) << "other programs may run while one of the two is measured";
  EXPECT_GT(reached, most / 100);
}

TEST(OperatorRecorder, SeesOperatorsOfAllThreadsWhileItLives) {
  const at::Tensor x = at::rand({8, 8});
  std::vector<OperatorEvent> events;
  {
    const OperatorRecorder recorder;
    {
      RECORD_USER_SCOPE(kStepEvent);
      at::mm(x, x);
    }
    std::thread([&] { at::add(x, x); }).join();
    events = recorder.events();
  }
  at::mm(x, x);
  std::map<std::string, int> calls;
  for (const OperatorEvent& event : events) {
    ++calls[event.name];
    EXPECT_LE(event.begin, event.end);
    EXPECT_EQ(event.thread == OperatorRecorder::this_thread(), event.name != "aten::add") << event.name;
  }
  EXPECT_EQ(calls["aten::mm"], 1) << "the one while it lived";
  EXPECT_EQ(calls["aten::add"], 1);
  EXPECT_EQ(calls[kStepEvent], 1);
}

}  // namespace
}  // namespace cosformer::cli
