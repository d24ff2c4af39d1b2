#include "cli/bench/timing.h"

#include <ATen/Parallel.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>

namespace cosformer::cli {
namespace {

constexpr double kRoundMilliseconds = 50;
constexpr int kMostCalls = 20, kFreshCalls = 3;

/// LibTorch gives its thread i the part i of as many parts as it has threads.
void on_each_thread(int threads, const std::function<void(int64_t)>& task) {
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) task(i);
  });
}

double milliseconds(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double least(const std::vector<double>& values) {
  return values.empty() ? std::numeric_limits<double>::infinity()
                        : *std::min_element(values.begin(), values.end());
}

}  // namespace

void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);  // never
}

BoundThreads::BoundThreads(int threads) : threads_(threads) {
  at::set_num_threads(threads);
  if (sched_getaffinity(0, sizeof allowed_, &allowed_) != 0 || CPU_COUNT(&allowed_) < threads) {
    threads_ = 0;
    return;
  }
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed_)) cores.push_back(core);
  }
  on_each_thread(threads_, [&](int64_t thread) {
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(cores[static_cast<std::size_t>(thread)], &own);
    sched_setaffinity(0, sizeof own, &own);
  });
}

BoundThreads::~BoundThreads() {
  on_each_thread(threads_, [&](int64_t) { sched_setaffinity(0, sizeof allowed_, &allowed_); });
}

double Timing::best() const {
  return least(milliseconds);
}

double Timing::best_fresh() const {
  return least(fresh_pages_milliseconds);
}

void measure_round(Timing& timing, const std::function<void()>& call) {
  double spent = 0;
  for (int i = 0; i < kMostCalls && (i == 0 || spent < kRoundMilliseconds); ++i) {
    timing.milliseconds.push_back(milliseconds(call));
    spent += timing.milliseconds.back();
  }
}

void measure_fresh(Timing& timing, const std::function<void()>& call) {
  for (int i = 0; i < kFreshCalls; ++i) {
    malloc_trim(0);
    timing.fresh_pages_milliseconds.push_back(milliseconds(call));
  }
}

}  // namespace cosformer::cli
