#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "cosformer/parallel.h"

namespace cosformer::cpu {

/// Whether buffers, and scratch before every task, hold NaN, in every type, until they are written: for
/// tests, where what is read and was never written then shows. Looked at once a task.
inline std::atomic<bool> poisons_memory = false;

/// Floats aligned to a cache line.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t floats);
  /// Grows to that many at least; what it held is lost then.
  void reserve(int64_t floats);
  float* data() { return data_.get(); }
  int64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* p) const;
  };
  std::unique_ptr<float, Free> data_;
  int64_t size_ = 0;
};

/// Scratch memory of the calling thread, grown when needed and kept for its next task; null where there is
/// none.
float* thread_scratch(int64_t floats) noexcept;
/// Has thread_scratch give the calling thread up to that many.
/// @throws std::bad_alloc
void reserve_scratch(int64_t floats);

/// Runs every task: task.done = body(task), which is false where its thread got no scratch memory. The
/// calling thread, which has reserved its own before anything was written, takes those at the end: no call
/// fails half done.
template <class Task, class Body>
void run_tasks(const ParallelFor& parallel, std::vector<Task>& tasks, const Body& body) {
  const auto run = [&](int64_t i) {
    Task& task = tasks[static_cast<size_t>(i)];
    task.done = body(task);
  };
  parallel(static_cast<int64_t>(tasks.size()), std::ref(run));  // a copy would need memory
  for (const Task& task : tasks) {
    if (!task.done) body(task);
  }
}

/// How many neighbouring sweeps a task takes in turns: all that keep `width` threads equally busy and whose
/// states of `state` floats fit the second-level cache together.
int64_t sweeps_together(int64_t units, int64_t parts, int width, int64_t state);
inline constexpr int64_t kMostSweeps = 16;

}  // namespace cosformer::cpu
