// The kernels for GPUs, run by plain loops in place of a GPU: everything but its instructions.

#include <gtest/gtest.h>

#include <list>

#include "cosformer/cuda.h"
#include "kernels/random_case.h"
#include "support/environment.h"

namespace cosformer::test {
namespace {

/// Passes of a run whose scratch memory begins as NaN. width: as many blocks as are said to fill the GPU.
template <class T>
Results run_cuda(const Case& c, const Inputs<T>& inputs, int width) {
  const auto with_scratch = [&](const auto& pass) {
    std::list<std::vector<char>> memory;
    const auto scratch = [&](size_t bytes) { return memory.emplace_back(bytes, '\xFF').data(); };
    pass(cuda::Execution{.scratch = scratch, .width = width});
  };
  return run<T>(
      c, inputs,
      [&](const auto& a) {
        with_scratch([&](const auto& execution) { cuda::attention_forward(a, execution); });
      },
      [&](const auto& a) {
        with_scratch([&](const auto& execution) { cuda::attention_backward(a, execution); });
      });
}

std::string check_cuda(const RandomRun& run) {
  const Case& c = run.c;
  const int width = run.width == 1 ? 1 : 1000;
  const Results actual = run.bfloat16 ? run_cuda(c, Inputs<bfloat16>(c, true), width)
                                      : run_cuda(c, Inputs<float>(c, false), width);
  return check_results(run, actual, allowance(c, Form::chunked, Isa::avx512_bf16, run.bfloat16));
}

TEST(EmulatedCuda, RandomCasesEqualReference) {
  const uint64_t first = number_from("COSFORMER_FUZZ_SEED", 1),
                 cases = number_from("COSFORMER_FUZZ_CASES", 100);
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    const RandomRun run = draw_run(seed, 4);
    const std::string error = check_cuda(run);
    if (error.empty()) continue;
    std::puts(error.c_str());
    const RandomRun least = shrink(run, [](const RandomRun& r) { return !check_cuda(r).empty(); });
    FAIL() << "seed " << seed << ": " << run.describe() << "\n"
           << check_cuda(run) << "\nshrunk to " << least.describe() << "\n"
           << check_cuda(least);
  }
}

}  // namespace
}  // namespace cosformer::test
