#include "cli/bench/check.h"

#include <cmath>
#include <cstdio>

#include "cosformer/kernel_choice.h"

namespace cosformer::cli {
namespace {

/// Bounds of errors, relative to the expected values.
struct Bounds {
  double largest;  ///< of the largest error and the largest value
  double norm;     ///< of their Euclidean norms
};

/// In float each result is a quotient of sums over K products and over T terms, whose roundings add up like a
/// random walk; 8 leaves room for the quotient and the gradients' further products. In bfloat16 the roundings
/// of docs/numerics.md join them: of three matrices, of what delta is made of and of the result itself, each
/// by at most 2^-9 of a value and by less in the mean. A single element may lose more, where its row's terms
/// cancel.
Bounds bounds(at::ScalarType dtype, int64_t width, int64_t T) {
  const double u = std::ldexp(1.0, -24);
  const double sums = 8 * u * (static_cast<double>(width) + std::sqrt(static_cast<double>(T)));
  if (dtype == at::kBFloat16) return {sums + std::ldexp(1.0, -4), sums + 5 * std::ldexp(1.0, -9)};
  return {sums, sums};
}

std::string scientific(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2e", value);
  return text;
}

}  // namespace

void expect_close(const std::string& what, const at::Tensor& got, const at::Tensor& expected,
                  at::ScalarType dtype, int64_t T) {
  if (got.numel() == 0) return;
  const at::Tensor exact = expected.to(at::kDouble), error = got.to(at::kDouble).sub(exact);
  const auto largest = [](const at::Tensor& t) { return t.abs().max().item<double>(); };
  const auto norm = [](const at::Tensor& t) { return t.norm().item<double>(); };
  const Bounds bound = bounds(dtype, got.size(-1), T);
  const auto require = [&](const char* of, double is, double limit) {
    if (is <= limit) return;  // not a number is wrong as well
    throw WrongResult(what + " at T = " + std::to_string(T) + " is wrong: expected " + of + " of at most " +
                      scientific(limit) + ", got " + scientific(is));
  };
  require("a largest error", largest(error), bound.largest * largest(exact));
  require("a norm of the error", norm(error), bound.norm * norm(exact));
}

void expect_close(const std::string& name, const AttentionCase& c, const AttentionPasses& got,
                  const AttentionPasses& expected, bool backward) {
  expect_close(name + ": output", got.output, expected.output, c.dtype(), c.T);
  if (!backward) return;
  expect_close(name + ": gradient of query", got.d_query, expected.d_query, c.dtype(), c.T);
  expect_close(name + ": gradient of key", got.d_key, expected.d_key, c.dtype(), c.T);
  expect_close(name + ": gradient of value", got.d_value, expected.d_value, c.dtype(), c.T);
}

void check_by_definition(const Contender& contender, int64_t heads, int64_t width, Mask mask,
                         at::ScalarType dtype) {
  const AttentionCase c = make_case(200, heads, width, mask, dtype);
  const bool backward = contender.has_backward;
  // In double the operator runs the reference.
  const AttentionPasses exact = operator_contender().run(converted(c, at::kDouble), backward);
  expect_close(contender.name, c, contender.run(c, backward), exact, backward);
}

void CaseCheck::operator()(const Contender& contender) {
  const bool backward = contender.has_backward;
  const AttentionPasses got = contender.run(case_, backward);
  const Isa best = cosformer::kernel_isa<float>(available_isas().back());
  if (case_.causal() && contender.form != Form::recurrent)
    expect_close(contender.name, case_, got, expected(best, Form::recurrent), false);
  if (case_.T > kLongestQuadratic) {
    const Isa other = kernel_isa(contender, at::kFloat) == Isa::generic ? best : Isa::generic;
    expect_close(contender.name, case_, got, expected(other, Form::chunked), backward);
  } else {
    const Form other = contender.form == Form::quadratic ? Form::chunked : Form::quadratic;
    expect_close(contender.name, case_, got, expected(best, other), backward);
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
