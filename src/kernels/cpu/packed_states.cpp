#include "kernels/cpu/packed_states.h"

#include "kernels/cpu/division.h"

namespace cosformer::cpu {
namespace {

/// Rows of y whose state is summed on its own. A fixed number, so that the order of summation depends on the
/// number of rows alone; states of segments then cost at most K N / (2 kSegment) of the keys' memory.
constexpr int64_t kSegment = 2048;
/// Rows of x that one task reads a state for.
constexpr int64_t kStretch = 512;

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

template <class T>
PackedStates<T>::PackedStates(const Call<T>& call, const Pass<T>& pass, std::vector<Unit> units,
                              Buffer& states)
    : call_(call),
      pass_(pass),
      units_(std::move(units)),
      parts_(pass.whole ? 1
                        : column_parts(static_cast<int64_t>(units_.size()), pass.U, call.execution().width)),
      states_(states) {
  if (units_.empty()) return;
  int64_t count = 0;
  for (size_t unit = 0; unit < units_.size(); ++unit) {
    first_.push_back(count);
    count += segments(static_cast<int64_t>(unit)) * parts_;
  }
  // The first part is the widest.
  floats_ = ceil_div(call.kernels().packed_state_floats(sweep(0, 0)), 16) * 16;
  states_.reserve(count * floats_);
  segment_tasks_ = tasks(kSegment, false);
  stretch_tasks_ = tasks(kStretch, true);
  reserve_scratch(std::max(scratch_floats(segment_tasks_), scratch_floats(stretch_tasks_)));
}

template <class T>
Sweep<T> PackedStates<T>::sweep(int64_t unit, int64_t part) const {
  Sweep<T> s = call_.sweep(units_[static_cast<size_t>(unit)], pass_);
  s.chunk = kLongChunk;
  s.quadratic = false;
  const Columns columns = columns_of(pass_.U, part, parts_);
  s.u_begin = columns.begin;
  s.u_end = columns.end;
  if (part > 0) s.denominator.data = nullptr;
  return s;
}

template <class T>
int64_t PackedStates<T>::segments(int64_t unit) const {
  return std::max<int64_t>(1, ceil_div(pass_.make(units_[static_cast<size_t>(unit)]).y_side.count, kSegment));
}

template <class T>
std::vector<typename PackedStates<T>::Task> PackedStates<T>::tasks(int64_t rows_of_a_task, bool of_x) const {
  const auto total = static_cast<int64_t>(units_.size());
  const auto rows_of = [&](int64_t unit) {
    const Sweep<T> s = pass_.make(units_[static_cast<size_t>(unit)]);
    return of_x ? s.x_side.count : s.y_side.count;
  };
  int64_t pieces = 0;
  for (int64_t unit = 0; unit < total; ++unit) pieces += ceil_div(rows_of(unit), rows_of_a_task);
  const int64_t together = sweeps_together(pieces, parts_, call_.execution().width, floats_);
  std::vector<Task> tasks;
  for (int64_t unit = 0; unit < total;) {
    int64_t units = 1;
    const int64_t b = units_[static_cast<size_t>(unit)].b;
    while (units < together && unit + units < total && units_[static_cast<size_t>(unit + units)].b == b)
      ++units;
    const int64_t rows = rows_of(unit);
    for (int64_t part = 0; part < parts_; ++part) {
      for (int64_t first = 0; first < rows || (first == 0 && !of_x); first += rows_of_a_task) {
        tasks.push_back({unit, units, part, first, std::min(rows_of_a_task, rows - first)});
      }
    }
    unit += units;
  }
  return tasks;
}

template <class T>
int64_t PackedStates<T>::scratch_floats(const std::vector<Task>& tasks) const {
  const auto unit_of = [&](const Task& task) { return units_[static_cast<size_t>(task.unit)]; };
  int64_t most = 0;
  const Task* last = nullptr;
  for (const Task& task : tasks) {
    const bool known = last && last->units == task.units && call_.alike(unit_of(*last), unit_of(task));
    // The first part is the widest.
    if (!known) most = std::max(most, call_.kernels().scratch_floats(sweep(task.unit, 0), task.units));
    last = &task;
  }
  return most;
}

template <class T>
typename PackedStates<T>::Work PackedStates<T>::work(const Task& task, int64_t segment) {
  Work work;
  for (int64_t i = 0; i < task.units; ++i) {
    work.sweeps[static_cast<size_t>(i)] = sweep(task.unit + i, task.part);
    work.states[static_cast<size_t>(i)] = state(task.unit + i, task.part, segment);
  }
  work.scratch = thread_scratch(call_.kernels().scratch_floats(work.sweeps[0], task.units));
  return work;
}

template <class T>
void PackedStates<T>::accumulate() {
  if (units_.empty()) return;
  run_tasks(call_.execution().parallel, segment_tasks_, [&](const Task& t) {
    const Work w = work(t, t.first / kSegment);
    if (!w.scratch) return false;
    call_.kernels().accumulate(w.sweeps.data(), t.units, t.first, t.count, w.states.data(), w.scratch);
    return true;
  });
  call_.parallel(static_cast<int64_t>(units_.size()) * parts_, [&](int64_t i) {
    const int64_t unit = i / parts_, rows = sweep(unit, 0).y_side.count;
    float* sum = state(unit, i % parts_);
    for (int64_t segment = 1; segment < segments(unit); ++segment) {
      const float left = call_.left_after(units_[static_cast<size_t>(unit)].g,
                                          std::min(kSegment, rows - segment * kSegment));
      const float* other = state(unit, i % parts_, segment);
      for (int64_t f = 0; f < floats_; ++f) sum[f] = sum[f] * left + other[f];
    }
  });
}

template <class T>
void PackedStates<T>::load() {
  call_.parallel(static_cast<int64_t>(units_.size()) * parts_, [&](int64_t i) {
    call_.kernels().load_state(sweep(i / parts_, i % parts_), state(i / parts_, i % parts_));
  });
}

template <class T>
void PackedStates<T>::store() {
  call_.parallel(static_cast<int64_t>(units_.size()) * parts_, [&](int64_t i) {
    call_.kernels().store_state(sweep(i / parts_, i % parts_), state(i / parts_, i % parts_));
  });
}

template <class T>
void PackedStates<T>::read() {
  run_tasks(call_.execution().parallel, stretch_tasks_, [&](const Task& t) {
    Work w = work(t, 0);
    if (!w.scratch) return false;
    for (Sweep<T>& s : w.sweeps) s.decay = nullptr;  // the state is read as it stands
    call_.kernels().read(w.sweeps.data(), t.units, t.first, t.count, w.states.data(), w.scratch);
    return true;
  });
}

template class PackedStates<float>;
template class PackedStates<bfloat16>;

}  // namespace cosformer::cpu
