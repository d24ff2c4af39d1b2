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

/// How many neighbouring sweeps a task takes in turns: all that keep `width` threads equally busy and whose
/// states of `state` floats fit the second-level cache together.
int64_t sweeps_together(int64_t units, int64_t parts, int width, int64_t state);
inline constexpr int64_t kMostSweeps = 16;

}  // namespace cosformer::cpu
