#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "cli/bench/contender.h"

/// A benchmark reports times of right results only.
namespace cosformer::cli {

/// A contender's result is wrong; what() names it, the tensor, the error and the bound.
class WrongResult : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Compares a result of sums over T tokens and over a row's width, stored as `dtype` or computed from such.
/// @throws WrongResult, which begins with `what`
void expect_close(const std::string& what, const at::Tensor& got, const at::Tensor& expected,
                  at::ScalarType dtype, int64_t T);
/// The same of the output, and of the gradients with `backward`.
void expect_close(const std::string& name, const AttentionCase& c, const AttentionPasses& got,
                  const AttentionPasses& expected, bool backward);

/// Up to this length results are compared with the quadratic form.
inline constexpr int64_t kLongestQuadratic = 8192;

/// Compares with the double reference at T = 200, output and gradients.
/// @throws WrongResult
void check_by_definition(const Contender& contender, int64_t heads, int64_t width, Mask mask,
                         at::ScalarType dtype);

/// Compares contenders at a case's own length with the float kernels of other forms: output and gradients
/// with the quadratic form up to kLongestQuadratic, beyond with another instruction set; causal outputs also
/// with the recurrence.
class CaseCheck {
 public:
  explicit CaseCheck(const AttentionCase& c) : case_(c), in_float_(converted(c, at::kFloat)) {}
  /// @throws WrongResult
  void operator()(const Contender& contender);

 private:
  const AttentionPasses& expected(Isa isa, Form form);

  const AttentionCase& case_;
  AttentionCase in_float_;
  std::map<std::pair<Isa, Form>, AttentionPasses> expected_;
};

}  // namespace cosformer::cli
