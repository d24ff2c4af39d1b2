// Kernels of one instruction set: this file is compiled once for each, with COSFORMER_LEVEL as its name.

#include "kernels/cpu/amx_kernel.h"
#include "kernels/cpu/dot_kernel.h"
#include "kernels/cpu/levels.h"
#include "kernels/cpu/row_terms_kernel.h"
#include "kernels/cpu/step_kernel.h"
#include "kernels/cpu/sweep_kernel.h"

#define COSFORMER_JOIN_(a, b) a##b
#define COSFORMER_JOIN(a, b) COSFORMER_JOIN_(a, b)

namespace cosformer::cpu {
namespace {

template <class P, class T>
constexpr Kernels<T> kKernels = {P::chunk,
                                 causal<P, T>,
                                 dense<P, T>,
                                 accumulate<P, T>,
                                 read<P, T>,
                                 load_state<P, T>,
                                 store_state<P, T>,
                                 step<T>,
                                 row_terms<T>,
                                 scratch_floats<P, T>,
                                 packed_state_floats<P, T>};

#if defined(COSFORMER_AMX)
using BfloatPlan = TilePlan;
#elif defined(__AVX512BF16__)
using BfloatPlan = DotPlan;
#else
using BfloatPlan = Plan;  // widened to float
#endif

}  // namespace

const Level& COSFORMER_JOIN(level_, COSFORMER_LEVEL)() {
  static constexpr Level kLevel = {kKernels<Plan, float>, kKernels<BfloatPlan, bfloat16>};
  return kLevel;
}

}  // namespace cosformer::cpu
