#pragma once

#include <memory>

#include "cosformer/attention.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {

/// Floats aligned to a cache line.
class Buffer {
 public:
  explicit Buffer(int64_t floats = 0);
  float* data() { return data_.get(); }
  int64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* p) const;
  };
  std::unique_ptr<float, Free> data_;
  int64_t size_ = 0;
};

/// Scratch memory of the calling thread, grown when needed and kept for its next task.
float* thread_scratch(int64_t floats);

/// Into how many column ranges the output of width U is cut so that `heads` sweeps keep `width` threads busy.
/// Bits do not depend on it: every column is computed alone.
int64_t column_parts(int64_t heads, int64_t U, int width);

/// How many neighbouring heads a task takes: all that keep `width` threads equally busy and whose states of
/// `state` floats fit the second-level cache together.
int64_t heads_together(int64_t heads, int64_t parts, int width, int64_t state);
inline constexpr int64_t kMostHeads = 16;

/// Columns of part i of n: [begin, end), multiples of kColumnAlign but for the last end.
void set_columns(Sweep& sweep, int64_t U, int64_t part, int64_t parts);

/// Reverses the order of rows: row r becomes row rows - 1 - r.
void reverse(Rows& rows, int64_t count);

/// A whole non-causal sweep over many heads: states of key segments in parallel, their sum in order, then
/// queries in parallel. make(head, part) gives the sweep of a head's columns.
struct NonCausal {
  int64_t heads = 0, parts = 1;
  int64_t queries = 0, keys = 0, K = 0, N = 1;
  bool quadratic = false;
  bool with_z = false;  ///< the sweep divides by its denominators
};
void run_non_causal(const Level& level, const NonCausal& run, const Execution& execution,
                    const std::function<Sweep(int64_t head, int64_t part)>& make);

}  // namespace cosformer::cpu
