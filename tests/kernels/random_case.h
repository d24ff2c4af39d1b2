#pragma once

#include <functional>
#include <random>

#include "kernels/attention_case.h"

namespace cosformer::test {

/// How a random case is run.
struct RandomRun {
  Case c;
  Isa isa = Isa::generic;
  Form form = Form::automatic;
  int width = 1;
  bool streams = false;
  bool bfloat16 = false;

  std::string describe() const;
};

/// One in `large_one_in` cases, on average, has up to 160 rows and widths to 80, the others a quarter; these
/// run some fifty times as fast.
RandomRun draw_run(uint64_t seed, int64_t large_one_in = 8);

/// Empty, or what is wrong with the results of a run.
std::string check_results(const RandomRun& run, const Results& actual, const Allowance& allowance);
std::string check_run(const RandomRun& run);

/// The smallest run found that still fails: sizes halved and lessened and options switched off while it does.
RandomRun shrink(RandomRun run, const std::function<bool(const RandomRun&)>& fails);

}  // namespace cosformer::test
