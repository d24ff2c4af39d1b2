#include "cli/bench/check.h"

#include <cmath>
#include <cstdio>

#include "cosformer/kernel_choice.h"

namespace cosformer::cli {
namespace {

/// Bound of an error, in units of the largest expected value: each result is a quotient of sums over K
/// products and over T terms, whose roundings in float add up like a random walk; 8 leaves room for the
/// quotient and the gradients' further products. In bfloat16 the roundings of docs/numerics.md join them: of
/// three matrices and of what delta is made of by 2^-8 each, of the result by half of that.
double bound(const AttentionCase& c) {
  const double u = std::ldexp(1.0, -24);
  const double sums = 8 * u * (static_cast<double>(c.width()) + std::sqrt(static_cast<double>(c.T)));
  return c.dtype() == at::kBFloat16 ? sums + 4.5 * std::ldexp(1.0, -8) : sums;
}

std::string scientific(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2e", value);
  return text;
}

void compare(const Contender& contender, const AttentionCase& c, const char* tensor, const at::Tensor& got,
             const at::Tensor& expected) {
  const at::Tensor exact = expected.to(at::kDouble);
  const double error = got.to(at::kDouble).sub(exact).abs().max().item<double>();
  const double limit = bound(c) * exact.abs().max().item<double>();
  if (error <= limit) return;  // not a number is wrong as well
  throw WrongResult(contender.name + ": " + tensor + " at T = " + std::to_string(c.T) +
                    " is wrong: expected an error of at most " + scientific(limit) + ", got " +
                    scientific(error));
}

void compare(const Contender& contender, const AttentionCase& c, const AttentionPasses& got,
             const AttentionPasses& expected, bool backward) {
  compare(contender, c, "output", got.output, expected.output);
  if (!backward) return;
  compare(contender, c, "gradient of query", got.d_query, expected.d_query);
  compare(contender, c, "gradient of key", got.d_key, expected.d_key);
  compare(contender, c, "gradient of value", got.d_value, expected.d_value);
}

}  // namespace

void check_by_definition(const Contender& contender, int64_t heads, int64_t width, Mask mask,
                         at::ScalarType dtype) {
  const AttentionCase c = make_case(200, heads, width, mask, dtype);
  const bool backward = contender.has_backward;
  // In double the operator runs the reference.
  const AttentionPasses exact = operator_contender().run(converted(c, at::kDouble), backward);
  compare(contender, c, contender.run(c, backward), exact, backward);
}

void CaseCheck::operator()(const Contender& contender) {
  const bool backward = contender.has_backward;
  const AttentionPasses got = contender.run(case_, backward);
  const Isa best = cosformer::kernel_isa<float>(available_isas().back());
  if (case_.causal() && contender.form != Form::recurrent)
    compare(contender, case_, got, expected(best, Form::recurrent), false);
  if (case_.T > kLongestQuadratic) {
    const Isa other = kernel_isa(contender, at::kFloat) == Isa::generic ? best : Isa::generic;
    compare(contender, case_, got, expected(other, Form::chunked), backward);
  } else {
    const Form other = contender.form == Form::quadratic ? Form::chunked : Form::quadratic;
    compare(contender, case_, got, expected(best, other), backward);
  }
}

const AttentionPasses& CaseCheck::expected(Isa isa, Form form) {
  AttentionPasses& passes = expected_[{isa, form}];
  if (!passes.output.defined()) {
    const Contender contender = kernel_contender(isa, form);
    passes = contender.run(in_float_, contender.has_backward);
  }
  return passes;
}

}  // namespace cosformer::cli
