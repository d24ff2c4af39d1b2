#include "kernels/cpu/call.h"

#include <cstdint>

#include "kernels/cpu/division.h"
#include "kernels/cpu/packed_states.h"

namespace cosformer::cpu {
namespace {

constexpr int64_t kStretch = 512;  // rows of x of one task

Side reversed(Side side) {
  side.origin = side.count - 1;
  side.step = -1;
  return side;
}

/// Whether rows of that many columns, if there are any, are whole cache lines.
template <class T>
bool whole_lines(const Matrix<T>& matrix, int64_t columns) {
  if (!matrix.data) return true;
  const int64_t strides = columns | matrix.line_stride | matrix.head_stride;
  return (reinterpret_cast<uintptr_t>(matrix.data) | static_cast<uint64_t>(strides) * sizeof(T)) % 64 == 0;
}

}  // namespace

template <class T>
std::vector<Unit> Call<T>::units() const {
  std::vector<Unit> units;
  for (int64_t b = 0; b < shape_.B; ++b) {
    for (int64_t g = 0; g < shape_.G; ++g) units.push_back({b, g});
  }
  if (queries.ragged() || keys.ragged()) {
    const auto length = [&](const Unit& unit) { return queries.count(unit.b) + keys.count(unit.b); };
    std::stable_sort(units.begin(), units.end(),
                     [&](const Unit& a, const Unit& b) { return length(a) > length(b); });
  }
  return units;
}

template <class T>
Sweep<T> Call<T>::sweep(const Unit& unit, const Pass<T>& pass) const {
  Sweep<T> s = pass.make(unit);
  s.X = pass.X;
  s.U = s.u_end = pass.U;
  s.N = options_.states();
  s.chunk = chunk(unit.b);
  s.quadratic = quadratic(unit.b);
  s.weights = weights_.center(unit.g);
  s.decay = fading_.group(unit.g);
  s.eps = options_.eps;
  s.streams = streams_ && whole_lines(s.out, pass.U) && whole_lines(s.twin, pass.X);
  if (pass.reversed) {
    s.x_side = reversed(s.x_side);
    s.y_side = reversed(s.y_side);
    s.lag = 1;
  }
  return s;
}

template <class T>
void Call<T>::run_dense(const Pass<T>& pass) const {
  struct Task {
    Unit unit;
    int64_t part, first, count;
  };
  const std::vector<Unit> all = units();
  const int64_t parts =
      pass.whole ? 1 : column_parts(static_cast<int64_t>(all.size()), pass.U, execution_.width);
  std::vector<Task> tasks;
  std::vector<Unit> chunked;
  for (const Unit& unit : all) {
    if (!quadratic(unit.b)) {
      chunked.push_back(unit);
      continue;
    }
    const int64_t rows = pass.make(unit).x_side.count;
    for (int64_t part = 0; part < parts; ++part) {
      for (int64_t first = 0; first < rows; first += kStretch) {
        tasks.push_back({unit, part, first, std::min(kStretch, rows - first)});
      }
    }
  }
  execution_.parallel(static_cast<int64_t>(tasks.size()), [&](int64_t i) {
    const Task& task = tasks[static_cast<size_t>(i)];
    Sweep<T> s = sweep(task.unit, pass);
    const Columns columns = columns_of(pass.U, task.part, parts);
    s.u_begin = columns.begin;
    s.u_end = columns.end;
    if (task.part > 0) s.denominator.data = nullptr;
    kernels_.dense(s, task.first, task.count, thread_scratch(kernels_.scratch_floats(s, 1)));
  });
  if (chunked.empty()) return;
  PackedStates<T> states(*this, pass, std::move(chunked));
  states.accumulate();
  states.read();
}

template class Call<float>;
template class Call<bfloat16>;

}  // namespace cosformer::cpu
