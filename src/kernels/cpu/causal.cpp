#include "kernels/cpu/causal.h"

#include <algorithm>

namespace cosformer::cpu {
namespace {

Side rows_of(Side side, int64_t begin, int64_t end) {
  side.origin += side.step * begin;
  side.count = end - begin;
  return side;
}

/// Out alone.
template <class T>
void take_out(Sweep<T>& s) {
  s.w = {};
  s.twin = {};
  s.twin_gate = {};
  if (!s.last.data) s.sum = Sum::none;
}

/// The twin alone, and of it some columns: those rows of the state. Who takes out stores the state.
template <class T>
void take_twin(Sweep<T>& s, const Columns& columns) {
  s.twin_alone = true;
  s.x = {};
  s.out = {};
  s.gate = {};
  s.last = {};
  s.X = columns.end - columns.begin;
  const auto advance = [](auto*& data, int64_t elements) {
    if (data) data += elements;  // null: not there, or empty
  };
  advance(s.y.data, columns.begin);
  advance(s.twin.data, columns.begin);
  advance(s.twin_gate.data, columns.begin);
  advance(s.first.data, columns.begin * s.first.x_stride);
  advance(s.first.sum, columns.begin);
}

}  // namespace

template <class T>
Causal<T>::Causal(const Call<T>& call, std::initializer_list<const Pass<T>*> passes,
                  const std::vector<Unit>& units)
    : call_(call), units_(units) {
  if (units.empty()) return;
  const Pass<T>*twin = nullptr, *beside = nullptr;
  for (const Pass<T>* pass : passes) (pass->whole ? twin : beside) = pass;
  const auto total = static_cast<int64_t>(units.size());
  const int width = call.execution().width;
  if (twin) {
    division_ = divide(total, twin->U, twin->X, beside->U, call.quadratic(units[0].b), width);
  } else {
    division_.parts_beside = column_parts(total, beside->U, width);
  }
  for (const Pass<T>* pass : passes) {
    if (pass->whole && division_.together < 1) {
      add_divided(*pass);
    } else {
      add(*pass, pass->whole ? 1 : division_.parts_beside);
    }
  }
  reserve();
}

template <class T>
void Causal<T>::add(const Pass<T>& pass, int64_t parts) {
  const auto total = static_cast<int64_t>(units_.size());
  const auto sequence = [&](int64_t unit) { return units_[static_cast<size_t>(unit)].b; };
  const int64_t together =
      sweeps_together(total, parts, call_.execution().width, call_.options().states() * pass.X * pass.U);
  for (int64_t unit = 0; unit < total;) {
    // Sweeps in turns are of one sequence: they differ in pointers alone.
    int64_t units = 1;
    while (units < together && unit + units < total && sequence(unit + units) == sequence(unit)) ++units;
    for (int64_t part = 0; part < parts; ++part) {
      stages_[0].push_back({&pass, unit, units, Wanted::all, part, parts});
    }
    unit += units;
  }
}

template <class T>
void Causal<T>::add_divided(const Pass<T>& pass) {
  const auto total = static_cast<int64_t>(units_.size());
  const bool cut = division_.together > 0;
  if (cut) {
    const int64_t state = call_.options().states() * pass.X * (pass.U + 1);
    states_ = Buffer(total * state);
  }
  for (int64_t unit = 0; unit < total; ++unit) {
    if (cut) stages_[0].push_back({&pass, unit});
    for (const Wanted wanted : {Wanted::out, Wanted::twin}) {
      const int64_t parts = wanted == Wanted::out ? division_.out_parts : division_.twin_parts;
      for (int64_t part = 0; part < parts; ++part) {
        stages_[cut].push_back({&pass, unit, 1, wanted, part, parts});
      }
    }
  }
}

template <class T>
StateView Causal<T>::cut_state(int64_t unit, const Sweep<T>& s) {
  float* state = states_.data() + unit * s.N * s.X * (s.U + 1);
  return {state, s.X * s.U, s.U, 1, state + s.N * s.X * s.U, s.X};
}

template <class T>
Sweep<T> Causal<T>::sweep(const Task& task, int64_t unit, bool first_stage) {
  Sweep<T> s = call_.sweep(units_[static_cast<size_t>(unit)], *task.pass);
  if (task.pass->whole && division_.together > 0 && division_.together < 1 && !s.quadratic) {
    const int64_t rows = s.y_side.count;
    const int64_t cut =
        static_cast<int64_t>(division_.together * static_cast<double>(rows)) / s.chunk * s.chunk;
    const int64_t begin = first_stage ? 0 : cut, end = first_stage ? cut : rows;
    s.x_side = rows_of(s.x_side, begin, end);
    s.y_side = rows_of(s.y_side, begin, end);
    if (first_stage) s.last = cut_state(unit, s);
    if (!first_stage && cut > 0) s.first = cut_state(unit, s);
  }
  if (task.wanted == Wanted::twin) {
    take_twin(s, columns_of(s.X, task.part, task.parts));
    return s;
  }
  if (task.wanted == Wanted::out) take_out(s);
  const Columns columns = columns_of(s.U, task.part, task.parts);
  s.u_begin = columns.begin;
  s.u_end = columns.end;
  if (task.part > 0) s.denominator.data = nullptr;
  return s;
}

template <class T>
void Causal<T>::reserve() {
  const auto known = [&](const Task& a, const Task& b) {
    const auto unit = [&](const Task& task) { return units_[static_cast<size_t>(task.unit)]; };
    return a.pass == b.pass && a.wanted == b.wanted && a.units == b.units && call_.alike(unit(a), unit(b));
  };
  int64_t floats = 0;
  for (const std::vector<Task>& tasks : stages_) {
    const Task* last = nullptr;  // the first part is the widest
    for (const Task& task : tasks) {
      if (!last || !known(*last, task)) {
        const Sweep<T> s = sweep(task, task.unit, &tasks == &stages_[0]);
        floats = std::max(floats, call_.kernels().scratch_floats(s, task.units));
      }
      last = &task;
    }
  }
  reserve_scratch(floats);
}

template <class T>
void Causal<T>::run() {
  const Kernels<T>& kernels = call_.kernels();
  for (std::vector<Task>& tasks : stages_) {
    run_tasks(call_.execution().parallel, tasks, [&](const Task& task) {
      std::array<Sweep<T>, kMostSweeps> sweeps;
      for (int64_t j = 0; j < task.units; ++j) {
        sweeps[static_cast<size_t>(j)] = sweep(task, task.unit + j, &tasks == &stages_[0]);
      }
      float* scratch = thread_scratch(kernels.scratch_floats(sweeps[0], task.units));
      if (scratch) kernels.causal(sweeps.data(), task.units, scratch);
      return scratch != nullptr;
    });
  }
}

template class Causal<float>;
template class Causal<bfloat16>;

}  // namespace cosformer::cpu
