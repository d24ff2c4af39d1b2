#pragma once

#include <array>
#include <initializer_list>
#include <vector>

#include "kernels/cpu/call.h"
#include "kernels/cpu/division.h"

namespace cosformer::cpu {

/// Causal passes over some units, divided into tasks. All memory is there once it is constructed.
template <class T>
class Causal {
 public:
  Causal(const Call<T>& call, std::initializer_list<const Pass<T>*> passes, const std::vector<Unit>& units);
  void run();

 private:
  enum class Wanted { all, out, twin };
  /// Neighbouring units' sweeps, or a part of a sweep's results.
  struct Task {
    const Pass<T>* pass;
    int64_t unit, units = 1;
    Wanted wanted = Wanted::all;
    int64_t part = 0, parts = 1;
    bool done = false;
  };

  void add(const Pass<T>& pass, int64_t parts);
  void add_divided(const Pass<T>& pass);
  void reserve();
  Sweep<T> sweep(const Task& task, int64_t unit, bool first_stage);
  /// Where a sweep that is cut leaves its state.
  StateView cut_state(int64_t unit, const Sweep<T>& sweep);

  const Call<T>& call_;
  const std::vector<Unit>& units_;
  Division division_;
  std::array<std::vector<Task>, 2> stages_;
  Buffer states_;
};

extern template class Causal<float>;
extern template class Causal<bfloat16>;

}  // namespace cosformer::cpu
