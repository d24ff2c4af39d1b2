#pragma once

#include <sched.h>

#include <functional>
#include <limits>
#include <vector>

namespace cosformer::cli {

/// From here on freed memory is kept and used again, so that a benchmark writes to memory that has been
/// touched. The environment variables MALLOC_MMAP_MAX_ and MALLOC_TRIM_THRESHOLD_ do the same.
void keep_freed_memory();

/// Ties each of LibTorch's threads to a core of its own while it lives: two that the system lets share a core
/// take twice as long. Does nothing where there are fewer cores than threads.
class BoundThreads {
 public:
  explicit BoundThreads(int threads);
  ~BoundThreads();
  BoundThreads(const BoundThreads&) = delete;
  BoundThreads& operator=(const BoundThreads&) = delete;

 private:
  int threads_;
  cpu_set_t allowed_;
};

/// Milliseconds of every call, and of calls that had to touch fresh pages, as a program's first calls do.
struct Timing {
  std::vector<double> milliseconds;
  std::vector<double> fresh_pages_milliseconds;

  double best() const;  ///< infinity where nothing was measured
  double best_fresh() const;
};

/// Adds one round: calls over about 50 ms, at least one and at most 20.
void measure_round(Timing& timing, const std::function<void()>& call);

/// Adds three calls, before each of which all free memory goes back to the system. Memory is no longer
/// touched then, so this comes after all rounds.
void measure_fresh(Timing& timing, const std::function<void()>& call);

}  // namespace cosformer::cli
