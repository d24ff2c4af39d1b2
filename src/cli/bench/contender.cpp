#include "cli/bench/contender.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/csrc/autograd/autograd.h>

#include "cosformer/kernel_choice.h"
#include "cosformer/ops/attention.h"

namespace cosformer::cli {
namespace {

template <class T>
View<T> view(const at::Tensor& t) {
  return {static_cast<T*>(t.data_ptr()), t.stride(0), t.stride(1), t.stride(2)};
}

template <class T>
AttentionPasses run_kernels(const AttentionCase& c, bool backward, const Execution& execution) {
  const AttentionShape shape = {1, c.T, c.T, c.heads(), c.heads(), c.width(), c.width()};
  const AttentionOptions options = {.horizon = c.T, .causal = c.causal()};
  AttentionPasses passes{at::empty_like(c.query), {}, {}, {}};
  const at::Tensor denominator = at::empty({1, c.T, c.heads()});
  attention_forward({.shape = shape,
                     .options = options,
                     .query = view<const T>(c.query),
                     .key = view<const T>(c.key),
                     .value = view<const T>(c.value),
                     .output = view<T>(passes.output),
                     .denominator = denominator.data_ptr<float>()},
                    execution);
  if (!backward) return passes;
  passes.d_query = at::empty_like(c.query);
  passes.d_key = at::empty_like(c.key);
  passes.d_value = at::empty_like(c.value);
  attention_backward({.shape = shape,
                      .options = options,
                      .query = view<const T>(c.query),
                      .key = view<const T>(c.key),
                      .value = view<const T>(c.value),
                      .output = view<const T>(passes.output),
                      .denominator = denominator.data_ptr<float>(),
                      .d_output = view<const T>(c.d_output),
                      .d_query = view<T>(passes.d_query),
                      .d_key = view<T>(passes.d_key),
                      .d_value = view<T>(passes.d_value)},
                     execution);
  return passes;
}

}  // namespace

AttentionCase make_case(int64_t T, int64_t heads, int64_t width, Mask mask, at::ScalarType dtype) {
  const auto random = [&](double mean) { return at::randn({1, T, heads, width}).add(mean).to(dtype); };
  // Most features are positive: a denominator near 0 would magnify its row's roundings.
  return {T, mask, random(1), random(1), random(0), random(0)};
}

AttentionCase converted(const AttentionCase& c, at::ScalarType dtype) {
  return {c.T, c.mask, c.query.to(dtype), c.key.to(dtype), c.value.to(dtype), c.d_output.to(dtype)};
}

AttentionPasses run_attention(const AttentionCase& c, const AttentionFunction& attention, bool backward) {
  if (!backward) {
    const at::NoGradGuard no_grad;
    return {attention(c.query, c.key, c.value), {}, {}, {}};
  }
  const at::Tensor q = c.query.detach().requires_grad_(), k = c.key.detach().requires_grad_(),
                   v = c.value.detach().requires_grad_();
  const at::Tensor output = attention(q, k, v);
  const auto gradients = torch::autograd::grad({output}, {q, k, v}, {c.d_output});
  return {output.detach(), gradients[0], gradients[1], gradients[2]};
}

Contender operator_contender() {
  Contender contender;
  contender.name = "operator";
  contender.run = [](const AttentionCase& c, bool backward) {
    return run_attention(
        c,
        [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
          return ops::attention(q, k, v, c.T, c.causal());
        },
        backward);
  };
  return contender;
}

Contender kernel_contender(Isa isa, Form form) {
  Contender contender;
  contender.name = std::string(cosformer::name(isa)) + " " + name(form);
  contender.isa = isa;
  contender.form = form;
  contender.has_backward = form != Form::recurrent;
  contender.run = [isa, form](const AttentionCase& c, bool backward) {
    const Execution execution = {.isa = isa, .form = form};
    return c.dtype() == at::kBFloat16 ? run_kernels<bfloat16>(c, backward, execution)
                                      : run_kernels<float>(c, backward, execution);
  };
  return contender;
}

Contender sdpa_contender() {
  Contender contender;
  contender.name = "SDPA";
  contender.cosine = false;
  // The layout [1, H, T, K] is made once a case, outside of what is timed.
  contender.run = [of = static_cast<const void*>(nullptr), by_head = AttentionCase{}](const AttentionCase& c,
                                                                                      bool backward) mutable {
    if (of != c.query.data_ptr()) {
      const auto turned = [](const at::Tensor& t) { return t.transpose(1, 2).contiguous(); };
      of = c.query.data_ptr();
      by_head = {c.T, c.mask, turned(c.query), turned(c.key), turned(c.value), turned(c.d_output)};
    }
    return run_attention(
        by_head,
        [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
          return at::scaled_dot_product_attention(q, k, v, {}, 0.0, c.causal());
        },
        backward);
  };
  return contender;
}

const char* name(Form form) {
  switch (form) {
    case Form::automatic:
      return "automatic";
    case Form::quadratic:
      return "quadratic";
    case Form::chunked:
      return "chunked";
    case Form::recurrent:
      return "recurrent";
  }
  return "unknown";
}

const char* name(Mask mask) {
  switch (mask) {
    case Mask::causal:
      return "causal";
    case Mask::noncausal:
      return "noncausal";
    case Mask::cross:
      return "cross";
  }
  return "unknown";
}

const char* name(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? "bfloat16" : dtype == at::kDouble ? "float64" : "float32";
}

Isa kernel_isa(const Contender& contender, at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? cosformer::kernel_isa<bfloat16>(contender.isa)
                                : cosformer::kernel_isa<float>(contender.isa);
}

}  // namespace cosformer::cli
