#pragma once

#include "cosformer/attention.h"

namespace cosformer::cpu {

enum class Results { output, gradients };

/// Of the widest vectors. Beside one a cycle everything else is cheap: a pair costs little more than its
/// multiply-adds.
enum class MultiplyAdds { one_a_cycle, two_a_cycle };
MultiplyAdds multiply_adds_here();

/// Multiply-adds a head that a form needs, up to a common factor; the cheaper one is taken by
/// Form::automatic. The state pays off where T exceeds about 2 N K V / (K + V), causal, and half of that
/// where every query sees every key: for K = V = 64 with a horizon from T = 219 (one multiply-add a cycle:
/// 247) and 113 on.
bool quadratic_is_cheaper(Results results, int64_t queries, int64_t keys, int64_t K, int64_t V,
                          const AttentionOptions& options, MultiplyAdds rate = multiply_adds_here());

}  // namespace cosformer::cpu
