#pragma once

#include <cstdint>
#include <stdexcept>

#include "cli/bench/contender.h"

/// A benchmark reports times of right results only.
namespace cosformer::cli {

/// A contender's result is wrong; what() names it, the tensor, the error and the bound.
class WrongResult : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Beyond this length, gradients are no longer compared with the quadratic form.
inline constexpr int64_t kLongestQuadratic = 8192;

/// Compares with the double reference at T = 200, output and gradients.
/// @throws WrongResult
void check_by_definition(const Contender& contender, int64_t heads, int64_t width, bool causal);

/// Compares at the case's own length: the output with the recurrence where causal, output and gradients with
/// the quadratic form up to kLongestQuadratic.
/// @throws WrongResult
void check_by_other_form(const Contender& contender, const AttentionCase& attention_case);

}  // namespace cosformer::cli
