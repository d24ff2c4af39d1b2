#include "kernels/cpu/call.h"

#include <cstdint>

namespace cosformer::cpu {
namespace {

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

template class Call<float>;
template class Call<bfloat16>;

}  // namespace cosformer::cpu
