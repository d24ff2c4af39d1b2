#pragma once

#include <cstdint>
#include <memory>

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

/// Into how many column ranges outputs of width U are cut so that `units` sweeps keep `width` threads busy.
/// Bits do not depend on it: every column is computed alone.
int64_t column_parts(int64_t units, int64_t U, int width);

/// How many neighbouring sweeps a task takes in turns: all that keep `width` threads equally busy and whose
/// states of `state` floats fit the second-level cache together.
int64_t sweeps_together(int64_t units, int64_t parts, int width, int64_t state);
inline constexpr int64_t kMostSweeps = 16;

/// Columns of part i of n.
struct Columns {
  int64_t begin, end;  ///< begin a multiple of kColumnAlign
};
Columns columns_of(int64_t U, int64_t part, int64_t parts);

}  // namespace cosformer::cpu
