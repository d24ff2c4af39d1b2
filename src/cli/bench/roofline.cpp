#include "cli/bench/roofline.h"

#include <algorithm>

namespace cosformer::cli {

Work forward_work(const AttentionCase& c) {
  const double T = static_cast<double>(c.T), H = static_cast<double>(c.heads()),
               K = static_cast<double>(c.width());
  const double states = 2;
  return {2 * states * K * K * 2 * H * T, 4 * T * H * K * 4};
}

Work backward_work(const AttentionCase& c) {
  const Work forward = forward_work(c);
  return {2.5 * forward.operations, 2 * forward.bytes};
}

void Roofline::measure_arithmetic(Isa isa) {
  // Another process on a core spoils a measurement on all threads sooner than one on a single thread.
  const double all = bench::peak_arithmetic(isa, threads_);
  const double single = threads_ * bench::peak_arithmetic(isa, 1);
  peaks_[isa] = std::max({peaks_[isa], all, single});
}

void Roofline::measure_bandwidth() {
  bandwidth_ = std::max(bandwidth_, probe_.measure(threads_));
}

double Roofline::floor(Isa isa, const AttentionCase& c, bool backward) const {
  const auto seconds = [&](const Work& work) {
    return std::max(work.operations / arithmetic(isa), work.bytes / bandwidth_);
  };
  return seconds(forward_work(c)) + (backward ? seconds(backward_work(c)) : 0);
}

}  // namespace cosformer::cli
