#include "cli/bench/step.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "bench/peak.h"
#include "cli/bench/check.h"
#include "cli/bench/machine.h"
#include "cli/bench/timing.h"
#include "cli/table.h"
#include "cosformer/ops/attention.h"

namespace cosformer::cli {
namespace {

constexpr int64_t kHorizon = 1 << 20;
constexpr int kCalls = 2000;

struct StepCase {
  at::Tensor query, key, value;  ///< [B, 1, H, K]
  at::Tensor S, z, position;     ///< [B, H, 2, K, V], [B, H, 2, K], [B]

  at::Tensor run() const { return ops::attention_step_(query, key, value, S, z, position, kHorizon); }
  int64_t state_bytes() const { return static_cast<int64_t>(S.nbytes() + z.nbytes()); }
};

StepCase make_step(int64_t B, int64_t H, int64_t K, at::ScalarType dtype) {
  const auto random = [&] { return at::randn({B, 1, H, K}).to(dtype); };
  return {random(),
          random(),
          random(),
          at::rand({B, H, 2, K, K}),
          at::rand({B, H, 2, K}).add(1),
          at::zeros({B}, at::kLong)};
}

void check_step(int64_t H, int64_t K, at::ScalarType dtype) {
  const StepCase c = make_step(3, H, K, dtype);
  const auto exact = [](const at::Tensor& t) { return t.to(at::kDouble, false, /*copy=*/true); };
  // In double the operator runs the reference.
  const StepCase in_double = {exact(c.query), exact(c.key), exact(c.value),
                              exact(c.S),     exact(c.z),   c.position.clone()};
  expect_close("step: output", c.run(), in_double.run(), dtype, 1);
  expect_close("step: S", c.S, in_double.S, at::kFloat, 1);
  expect_close("step: z", c.z, in_double.z, at::kFloat, 1);
}

/// The kernel library's own call, on one thread.
template <class T>
void run_kernel(const StepCase& c, const at::Tensor& output) {
  const int64_t B = c.query.size(0), H = c.query.size(2), K = c.query.size(3);
  const auto view = [](const at::Tensor& t) {
    return View<T>{static_cast<T*>(t.data_ptr()), t.stride(0), t.stride(1), t.stride(2)};
  };
  const auto input = [&](const at::Tensor& t) {
    const View<T> v = view(t);
    return View<const T>{v.data, v.batch_stride, v.time_stride, v.head_stride};
  };
  attention_step({.shape = {B, 1, 1, H, H, K, K},
                  .options = {.horizon = kHorizon, .causal = true},
                  .query = input(c.query),
                  .key = input(c.key),
                  .value = input(c.value),
                  .output = view(output),
                  .S = c.S.data_ptr<float>(),
                  .z = c.z.data_ptr<float>(),
                  .position = c.position.data_ptr<int64_t>()},
                 {.parallel = serial_for, .width = 1});
}

template <class F>
double microseconds_a_call(const StepCase& c, const F& call) {
  c.position.zero_();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kCalls; ++i) call();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / kCalls;
}

nlohmann::json measure(const StepBenchOptions& options, at::ScalarType dtype,
                       const bench::BandwidthProbe& probe) {
  check_step(options.heads, options.width, dtype);
  const StepCase c = make_step(options.batch, options.heads, options.width, dtype);
  const StepCase one = make_step(1, 1, options.width, dtype);
  const at::Tensor output = at::empty_like(one.query);
  const double bytes = static_cast<double>(2 * c.state_bytes()) + 4 * static_cast<double>(c.query.nbytes());
  double bandwidth = 0, call = std::numeric_limits<double>::infinity(), kernel = call;
  Timing timing;
  c.run();
  for (int round = 0; round < options.rounds; ++round) {
    bandwidth = std::max(bandwidth, probe.measure(options.threads));
    c.position.zero_();
    measure_round(timing, [&] { c.run(); });
    call = std::min(call, microseconds_a_call(one, [&] { one.run(); }));
    kernel = std::min(kernel, microseconds_a_call(one, [&] {
                        dtype == at::kBFloat16 ? run_kernel<bfloat16>(one, output)
                                               : run_kernel<float>(one, output);
                      }));
  }
  const double rate = bytes / timing.best() * 1e3;
  return {{"dtype", name(dtype)},
          {"state_bytes", c.state_bytes()},
          {"milliseconds", timing.best()},
          {"gigabytes_per_second", rate / 1e9},
          {"bandwidth_gigabytes_per_second", bandwidth / 1e9},
          {"percent_of_bandwidth", 100 * rate / bandwidth},
          {"small_call_microseconds", call},
          {"small_kernel_microseconds", kernel},
          {"repeats_milliseconds", timing.milliseconds}};
}

}  // namespace

nlohmann::json bench_step(const StepBenchOptions& options) {
  keep_freed_memory();
  const BoundThreads bound(options.threads);
  nlohmann::json report = machine_json(options.threads);
  report["schema_version"] = 1;
  report["shape"] = {{"B", options.batch}, {"H", options.heads}, {"K", options.width}, {"V", options.width}};
  report["rounds"] = options.rounds;
  const bench::BandwidthProbe probe;
  for (const at::ScalarType dtype : options.dtypes)
    report["results"].push_back(measure(options, dtype, probe));
  return report;
}

std::string step_table(const nlohmann::json& report) {
  Table table({"dtype", "states", "ms", "GB/s", "reading GB/s", "percent", "small call us", "its kernel us"},
              1);
  for (const auto& r : report["results"]) {
    table.add({r["dtype"], fixed(r["state_bytes"].get<double>() / 1e6, 0) + " MB",
               fixed(r["milliseconds"], 2), fixed(r["gigabytes_per_second"], 1),
               fixed(r["bandwidth_gigabytes_per_second"], 1), fixed(r["percent_of_bandwidth"], 0) + " %",
               fixed(r["small_call_microseconds"], 2), fixed(r["small_kernel_microseconds"], 2)});
  }
  const auto& shape = report["shape"];
  const auto size = [&](const char* name) { return std::to_string(shape[name].get<int64_t>()); };
  return "one token for each sequence, B = " + size("B") + ", H = " + size("H") + ", K = V = " + size("K") +
         ", " + std::to_string(report["threads"].get<int>()) + " threads, " +
         report["processor"].get<std::string>() + "; small: B = H = 1\n\n" + table.text();
}

}  // namespace cosformer::cli
