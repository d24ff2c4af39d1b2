#pragma once

#include <map>

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

/// The best that the processor showed in this run: the highest peaks of many short measurements that
/// alternate with what they are compared to.
class Roofline {
 public:
  explicit Roofline(int threads) : threads_(threads) {}
  void measure_arithmetic(Isa isa);
  void measure_bandwidth();

  double arithmetic(Isa isa) const { return peaks_.at(isa); }  ///< operations a second
  double bandwidth() const { return bandwidth_; }              ///< bytes a second
  const std::map<Isa, double>& peaks() const { return peaks_; }

  /// Seconds that the work takes at least: of both passes the sum of each pass's floor.
  double floor(Isa isa, const AttentionCase& c, bool backward) const;

 private:
  int threads_;
  std::map<Isa, double> peaks_;
  double bandwidth_ = 0;
  bench::BandwidthProbe probe_;
};

}  // namespace cosformer::cli
