#pragma once

#include "kernels/cpu/call.h"

namespace cosformer::cpu {

/// Packed states of units, summed over segments of keys, and read by stretches of queries.
template <class T>
class PackedStates {
 public:
  /// `pass` makes the units' sweeps; the states lie in `states`, which grows for them. All memory is there
  /// afterwards.
  PackedStates(const Call<T>& call, const Pass<T>& pass, std::vector<Unit> units, Buffer& states);

  /// The states are the sums over all rows of y; with a decay, faded to the position after the last.
  void accumulate();
  /// The states are the sweeps' first states.
  void load();
  /// The sweeps' last states become these.
  void store();
  /// Every row of x reads its unit's state.
  void read();

 private:
  /// Rows [first, first + count) of neighbouring units of one sequence, one column part.
  struct Task {
    int64_t unit, units, part, first, count;
    bool done = false;
  };
  std::vector<Task> tasks(int64_t rows_of_a_task, bool of_x) const;
  int64_t scratch_floats(const std::vector<Task>& tasks) const;
  /// The task's sweeps and their states' places, of one segment.
  struct Work {
    std::array<Sweep<T>, kMostSweeps> sweeps;
    std::array<float*, kMostSweeps> states;
    float* scratch;  ///< null: there is none
  };
  Work work(const Task& task, int64_t segment);
  Sweep<T> sweep(int64_t unit, int64_t part) const;
  int64_t segments(int64_t unit) const;
  float* state(int64_t unit, int64_t part, int64_t segment = 0) {
    return states_.data() + (first_[static_cast<size_t>(unit)] + part * segments(unit) + segment) * floats_;
  }

  const Call<T>& call_;
  const Pass<T>& pass_;
  std::vector<Unit> units_;
  int64_t parts_, floats_ = 0;
  std::vector<int64_t> first_;  // state of each unit
  Buffer& states_;
  std::vector<Task> segment_tasks_, stretch_tasks_;
};

extern template class PackedStates<float>;
extern template class PackedStates<bfloat16>;

}  // namespace cosformer::cpu
