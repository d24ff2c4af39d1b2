#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/peak.h"
#include "cli/bench/contender.h"

namespace cosformer::cli {

/// Work and traffic of attention with two states, as definition and floor count them; a backward pass
/// does 2.5 times the operations of a forward pass and moves 8 tensors to its 4.
struct Work {
  double operations = 0, bytes = 0;
};
Work forward_work(const AttentionCase& c);
Work backward_work(const AttentionCase& c);

/// Seconds that passes take at least, one after another.
/// @param peak, bandwidth operations and bytes a second
double floor_seconds(const std::vector<Work>& passes, double peak, double bandwidth);

/// The best that the processor showed in this run: the highest peaks of many short measurements that
/// alternate with what they are compared to.
class Roofline {
 public:
  explicit Roofline(int threads) : threads_(threads) {}
  void measure_arithmetic(Isa isa, bench::Operand operand);
  void measure_bandwidth();

  /// {"peak_gigaflops_per_second": {dtype: {isa: n}}, "bandwidth_gigabytes_per_second": n}
  nlohmann::json json() const;

 private:
  int threads_;
  std::map<std::pair<bench::Operand, Isa>, double> peaks_;
  double bandwidth_ = 0;
  bench::BandwidthProbe probe_;
};

}  // namespace cosformer::cli
