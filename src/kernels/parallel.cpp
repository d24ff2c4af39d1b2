#include "cosformer/parallel.h"

#ifdef COSFORMER_STD_THREADS
#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>
#else
#include <omp.h>
#endif

namespace cosformer {

#ifdef COSFORMER_STD_THREADS

int parallel_width() {
  return std::max(2U, std::thread::hardware_concurrency());
}

void parallel_for_on(int wanted, int64_t n, const std::function<void(int64_t)>& task) {
  if (n <= 1) return serial_for(n, task);
  std::atomic<int64_t> next = 0;
  const auto work = [&] {
    for (int64_t i = next++; i < n; i = next++) task(i);
  };
  std::vector<std::thread> threads;
  try {
    for (int i = 1; i < std::min<int64_t>(n, wanted); ++i) threads.emplace_back(work);
  } catch (const std::exception&) {
    // The threads that there are do the work.
  }
  work();
  for (auto& thread : threads) thread.join();
}

#else

int parallel_width() {
  return omp_get_max_threads();
}

void parallel_for_on(int threads, int64_t n, const std::function<void(int64_t)>& task) {
  if (n <= 1) return serial_for(n, task);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (int64_t i = 0; i < n; ++i) task(i);
}

#endif

void parallel_for(int64_t n, const std::function<void(int64_t)>& task) {
  parallel_for_on(parallel_width(), n, task);
}

void serial_for(int64_t n, const std::function<void(int64_t)>& task) {
  for (int64_t i = 0; i < n; ++i) task(i);
}

}  // namespace cosformer
