#include "kernels/cpu/dense.h"

#include <algorithm>

#include "kernels/cpu/division.h"

namespace cosformer::cpu {
namespace {

constexpr int64_t kStretch = 512;  // rows of x of one task

template <class T>
std::vector<Unit> chunked_units(const Call<T>& call) {
  std::vector<Unit> units = call.units();
  std::erase_if(units, [&](const Unit& unit) { return call.quadratic(unit.b); });
  return units;
}

}  // namespace

template <class T>
Dense<T>::Dense(const Call<T>& call, const Pass<T>& pass, Buffer& states)
    : call_(call), pass_(pass), chunked_(call, pass, chunked_units(call), states) {
  const std::vector<Unit> all = call.units();
  parts_ = pass.whole ? 1 : column_parts(static_cast<int64_t>(all.size()), pass.U, call.execution().width);
  int64_t floats = 0;
  for (const Unit& unit : all) {
    if (!call.quadratic(unit.b)) continue;
    const bool known = !tasks_.empty() && call.alike(unit, tasks_.back().unit);
    const int64_t rows = pass.make(unit).x_side.count;
    for (int64_t part = 0; part < parts_; ++part) {
      for (int64_t first = 0; first < rows; first += kStretch) {
        tasks_.push_back({unit, part, first, std::min(kStretch, rows - first)});
      }
    }
    // The first part is the widest.
    if (!known && rows > 0) {
      floats = std::max(floats, call.kernels().scratch_floats(sweep({unit, 0, 0, rows}), 1));
    }
  }
  reserve_scratch(floats);
}

template <class T>
Sweep<T> Dense<T>::sweep(const Task& task) const {
  Sweep<T> s = call_.sweep(task.unit, pass_);
  const Columns columns = columns_of(pass_.U, task.part, parts_);
  s.u_begin = columns.begin;
  s.u_end = columns.end;
  if (task.part > 0) s.denominator.data = nullptr;
  return s;
}

template <class T>
void Dense<T>::run() {
  run_tasks(call_.execution().parallel, tasks_, [&](const Task& task) {
    const Sweep<T> s = sweep(task);
    float* scratch = thread_scratch(call_.kernels().scratch_floats(s, 1));
    if (scratch) call_.kernels().dense(s, task.first, task.count, scratch);
    return scratch != nullptr;
  });
  chunked_.accumulate();
  chunked_.read();
}

template class Dense<float>;
template class Dense<bfloat16>;

}  // namespace cosformer::cpu
