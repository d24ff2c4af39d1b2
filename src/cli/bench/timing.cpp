#include "cli/bench/timing.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>

namespace cosformer::cli {
namespace {

constexpr double kRoundMilliseconds = 50;
constexpr int kMostCalls = 20, kFreshCalls = 3;

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
