#include "cli/bench/check.h"

#include <cmath>
#include <cstdio>

#include "cosformer/ops/attention.h"

namespace cosformer::cli {
namespace {

/// Bound of an error, in units of the largest expected value: each result is a quotient of sums over K
/// products and over T terms, whose roundings in float add up like a random walk; 8 leaves room for the
/// quotient and the gradients' further products.
double bound(const AttentionCase& c) {
  const double u = std::ldexp(1.0, -24);
  return 8 * u * (static_cast<double>(c.width()) + std::sqrt(static_cast<double>(c.T)));
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

void check_by_definition(const Contender& contender, int64_t heads, int64_t width, bool causal) {
  const AttentionCase c = make_case(200, heads, width, causal);
  const auto exact = [](const at::Tensor& t) { return t.to(at::kDouble); };
  // In double the operator runs the reference.
  const AttentionCase in_double = {c.T,          causal,         exact(c.query),
                                   exact(c.key), exact(c.value), exact(c.d_output)};
  const bool backward = contender.has_backward;
  compare(contender, c, contender.run(c, backward), operator_contender().run(in_double, backward), backward);
}

void check_by_other_form(const Contender& contender, const AttentionCase& c) {
  const bool quadratic = c.T <= kLongestQuadratic;
  const bool backward = contender.has_backward && quadratic;
  if (!quadratic && !c.causal) return;
  const AttentionPasses got = contender.run(c, backward);
  const Isa best = available_isas().back();
  if (c.causal && contender.form != Form::recurrent) {
    compare(contender, c, got, kernel_contender(best, Form::recurrent).run(c, false), false);
  }
  if (quadratic && contender.form != Form::quadratic) {
    compare(contender, c, got, kernel_contender(best, Form::quadratic).run(c, backward), backward);
  }
}

}  // namespace cosformer::cli
