#include "kernels/cpu/form.h"

namespace cosformer::cpu {
namespace {

/// What a multiply-add of a pair costs beside one of a state: its loops are shorter, and tiles on the
/// diagonal are masked (docs/performance.md has the times).
constexpr double kCausalPair = 1.1;

}  // namespace

bool quadratic_is_cheaper(int64_t queries, int64_t keys, int64_t K, int64_t V,
                          const AttentionOptions& options) {
  const auto Tq = static_cast<double>(queries), Tk = static_cast<double>(keys),
             widths = static_cast<double>(K + V);
  const double state = static_cast<double>(options.states() * K * V) * (Tq + Tk);
  // Causal, half of the pairs count; a chunked sweep computes the pairs of a chunk as well.
  const double pairs = options.causal ? kCausalPair * widths * Tq * (Tq + 16) / 2 : widths * Tq * Tk;
  const double chunk_pairs = options.causal ? kCausalPair * widths * Tq * 16 : 0;
  return pairs <= state + chunk_pairs;
}

}  // namespace cosformer::cpu
