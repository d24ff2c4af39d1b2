#include "kernels/cpu/form.h"

namespace cosformer::cpu {

bool quadratic_is_cheaper(const AttentionShape& shape, const AttentionOptions& options) {
  const double Tq = static_cast<double>(shape.Tq), Tk = static_cast<double>(shape.Tk);
  const double K = static_cast<double>(shape.K), V = static_cast<double>(shape.V);
  const double state = static_cast<double>(options.states()) * K * V * (Tq + Tk);
  // Causal, half of the pairs count; a chunked sweep computes the pairs of a chunk as well.
  const double pairs = options.causal ? (K + V) * Tq * (Tq + 16) / 2 : (K + V) * Tq * Tk;
  const double chunk_pairs = options.causal ? (K + V) * Tq * 16 : 0;
  return pairs <= state + chunk_pairs;
}

}  // namespace cosformer::cpu
