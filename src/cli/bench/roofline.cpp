#include "cli/bench/roofline.h"

#include <algorithm>

namespace cosformer::cli {

Work forward_work(const AttentionCase& c) {
  const double T = static_cast<double>(c.T), H = static_cast<double>(c.heads()),
               K = static_cast<double>(c.width());
  const double states = 2;
  return {2 * states * K * K * 2 * H * T, 4 * T * H * K * static_cast<double>(c.query.element_size())};
}

Work backward_work(const AttentionCase& c) {
  const Work forward = forward_work(c);
  return {2.5 * forward.operations, 2 * forward.bytes};
}

double floor_seconds(const std::vector<Work>& passes, double peak, double bandwidth) {
  double seconds = 0;
  for (const Work& work : passes) seconds += std::max(work.operations / peak, work.bytes / bandwidth);
  return seconds;
}

void Roofline::measure_arithmetic(Isa isa, bench::Operand operand) {
  // Another process on a core spoils a measurement on all threads sooner than one on a single thread.
  const double all = bench::peak_arithmetic(isa, operand, threads_);
  const double single = threads_ * bench::peak_arithmetic(isa, operand, 1);
  double& peak = peaks_[{operand, isa}];
  peak = std::max({peak, all, single});
}

void Roofline::measure_bandwidth() {
  bandwidth_ = std::max(bandwidth_, probe_.measure(threads_));
}

nlohmann::json Roofline::json() const {
  nlohmann::json peaks = nlohmann::json::object();
  for (const auto& [key, peak] : peaks_)
    peaks[key.first == bench::Operand::bfloat16 ? "bfloat16" : "float32"][name(key.second)] = peak / 1e9;
  return {{"peak_gigaflops_per_second", peaks}, {"bandwidth_gigabytes_per_second", bandwidth_ / 1e9}};
}

}  // namespace cosformer::cli
