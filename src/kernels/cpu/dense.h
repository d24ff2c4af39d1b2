#pragma once

#include <vector>

#include "kernels/cpu/packed_states.h"

namespace cosformer::cpu {

/// One pass where every row of x sees every row of y, divided into tasks.
template <class T>
class Dense {
 public:
  /// All memory is there afterwards; `states` is shared by passes that run one after another.
  Dense(const Call<T>& call, const Pass<T>& pass, Buffer& states);
  void run();

 private:
  /// Rows of x of a unit that goes without states.
  struct Task {
    Unit unit;
    int64_t part, first, count;
    bool done = false;
  };

  Sweep<T> sweep(const Task& task) const;

  const Call<T>& call_;
  const Pass<T>& pass_;
  int64_t parts_;
  std::vector<Task> tasks_;
  PackedStates<T> chunked_;
};

extern template class Dense<float>;
extern template class Dense<bfloat16>;

}  // namespace cosformer::cpu
