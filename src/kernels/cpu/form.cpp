#include "kernels/cpu/form.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace cosformer::cpu {
namespace {

/// What a multiply-add of a pair costs beside one of a state: its loops are shorter, and causal tiles on the
/// diagonal are masked. A gradient's chunked form has the twin, for which the pairs need two sweeps, and more
/// rows of the pairs' wide heads than the first-level cache holds (docs/performance.md has the times).
double cost_of_pair(Results results, bool causal, int64_t widths, MultiplyAdds rate) {
  if (!causal) return 1.33;
  if (results == Results::gradients) return widths <= 64 ? 1.33 : 1.45;
  return rate == MultiplyAdds::one_a_cycle ? 1.11 : 1.26;
}

/// Both forms work on blocks of 16 rows.
double in_blocks(int64_t rows) {
  return static_cast<double>((rows + 15) / 16 * 16);
}

}  // namespace

MultiplyAdds multiply_adds_here() {
#if defined(__x86_64__)
  static const MultiplyAdds rate = [] {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    const bool known = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0;
    const unsigned family = (eax >> 8 & 0xFU) + (eax >> 20 & 0xFFU);
    const bool zen4 = known && family == 0x19 && __builtin_cpu_is("amd") && __builtin_cpu_supports("avx512f");
    return zen4 ? MultiplyAdds::one_a_cycle : MultiplyAdds::two_a_cycle;
  }();
  return rate;
#else
  return MultiplyAdds::two_a_cycle;
#endif
}

bool quadratic_is_cheaper(Results results, int64_t queries, int64_t keys, int64_t K, int64_t V,
                          const AttentionOptions& options, MultiplyAdds rate) {
  const auto Tq = static_cast<double>(queries), Tk = static_cast<double>(keys),
             widths = static_cast<double>(K + V);
  const double state = static_cast<double>(options.states() * K * V) * (Tq + Tk);
  // Causal, half of the pairs count.
  const double pairs = options.causal ? Tq * (Tq + 16) / 2 : in_blocks(queries) * in_blocks(keys);
  // What else a state costs, in pairs: causal, those of a chunk; if not, rows are packed in two sweeps.
  const double more = (options.causal ? 8 : 12) * (Tq + Tk);
  return cost_of_pair(results, options.causal, K + V, rate) * widths * (pairs - more) <= state;
}

}  // namespace cosformer::cpu
