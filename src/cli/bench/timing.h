#pragma once

#include <functional>
#include <limits>
#include <vector>

namespace cosformer::cli {

/// From here on freed memory is kept and used again, so that a benchmark writes to memory that has been
/// touched. The environment variables MALLOC_MMAP_MAX_ and MALLOC_TRIM_THRESHOLD_ do the same.
void keep_freed_memory();

/// Milliseconds of every call, and of calls that had to touch fresh pages, as a program's first calls do.
struct Timing {
  std::vector<double> milliseconds;
  std::vector<double> fresh_pages_milliseconds;

  double best() const;  ///< infinity where nothing was measured
  double best_fresh() const;
};

/// Adds one round: calls over about 50 ms, at least one and at most 20, and before them one on fresh pages.
void measure_round(Timing& timing, const std::function<void()>& call);

}  // namespace cosformer::cli
