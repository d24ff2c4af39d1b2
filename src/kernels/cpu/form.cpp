#include "kernels/cpu/form.h"

namespace cosformer::cpu {
namespace {

/// What a multiply-add of a pair costs beside one of a state: its loops are shorter, and causal tiles on the
/// diagonal are masked. Between what AMD and Intel measure, which differ by a fifth; a gradient's chunked
/// form has the twin, for which the pairs need two sweeps (docs/performance.md has the times).
double cost_of_pair(Results results, bool causal) {
  return causal && results == Results::output ? 1.17 : 1.33;
}

}  // namespace

bool quadratic_is_cheaper(Results results, int64_t queries, int64_t keys, int64_t K, int64_t V,
                          const AttentionOptions& options) {
  const auto Tq = static_cast<double>(queries), Tk = static_cast<double>(keys),
             widths = static_cast<double>(K + V);
  const double state = static_cast<double>(options.states() * K * V) * (Tq + Tk);
  // Causal, half of the pairs count.
  const double pairs = options.causal ? Tq * (Tq + 16) / 2 : Tq * Tk;
  // What else a state costs, in pairs: causal, those of a chunk; if not, rows are packed in two sweeps.
  const double more = (options.causal ? 8 : 12) * (Tq + Tk);
  return cost_of_pair(results, options.causal) * widths * (pairs - more) <= state;
}

}  // namespace cosformer::cpu
