// Kernels of one instruction set: this file is compiled once for each, with COSFORMER_LEVEL as its name.

#include "kernels/cpu/levels.h"
#include "kernels/cpu/step_kernel.h"
#include "kernels/cpu/sweep_kernel.h"

#define COSFORMER_JOIN_(a, b) a##b
#define COSFORMER_JOIN(a, b) COSFORMER_JOIN_(a, b)

namespace cosformer::cpu {

const Level& COSFORMER_JOIN(level_, COSFORMER_LEVEL)() {
  static constexpr Level kLevel = {causal, dense,     accumulate,     read,
                                   step,   row_terms, scratch_floats, packed_state_floats};
  return kLevel;
}

}  // namespace cosformer::cpu
