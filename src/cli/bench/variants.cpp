#include "cli/bench/variants.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cstdio>

#include "cli/bench/check.h"
#include "cli/bench/machine.h"
#include "cli/bench/timing.h"
#include "cli/table.h"
#include "cosformer/ops/attention.h"
#include "io/chart_axis.h"

namespace cosformer::cli {
namespace {

constexpr double kDecay = 0.01;

AttentionFunction with_options(int64_t horizon, bool causal, ops::AttentionOptions options = {}) {
  return [=](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    return ops::attention(q, k, v, horizon, causal, options);
  };
}

AttentionCase each(const AttentionCase& c, const std::function<at::Tensor(const at::Tensor&)>& changed) {
  return {c.T, c.mask, changed(c.query), changed(c.key), changed(c.value), changed(c.d_output)};
}

Attended padded(const AttentionCase& c, const at::Tensor& padding) {
  AttentionCase inputs = make_case(padding.size(1), c.heads(), c.width(), c.mask, c.dtype());
  inputs.T = c.T;
  return {inputs,
          with_options(c.T, c.causal(), {.query_padding_mask = padding, .key_padding_mask = padding})};
}

Attended packed(const AttentionCase& c) {
  const int64_t T = c.T;
  const at::Tensor starts = at::tensor({int64_t{0}, T / 2, T / 2 + T / 4, T / 2 + T / 4 + T / 8, T});
  return {each(c, [](const at::Tensor& t) { return t[0]; }),
          [=, causal = c.causal()](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
            return ops::attention_varlen(q, k, v, starts, starts, T, causal);
          }};
}

Variant grouped(const AttentionCase& c) {
  const int64_t G = c.heads() % 4 == 0 ? c.heads() / 4 : 1;
  Attended few{c, with_options(c.T, c.causal())}, all = few;
  few.inputs.key = c.key.narrow(2, 0, G).contiguous();
  few.inputs.value = c.value.narrow(2, 0, G).contiguous();
  all.inputs.key = few.inputs.key.repeat_interleave(c.heads() / G, 2);
  all.inputs.value = few.inputs.value.repeat_interleave(c.heads() / G, 2);
  return {"grouped heads, G = " + std::to_string(G), 1.1, few, all};
}

nlohmann::json row(const Variant& v, bool backward, const Timing& variant, const Timing& dense) {
  const AttentionCase& c = v.variant.inputs;
  return {{"dtype", name(c.dtype())},
          {"mask", name(c.mask)},
          {"length", c.T},
          {"variant", v.name},
          {"pass", backward ? "forward+backward" : "forward"},
          {"milliseconds", variant.best()},
          {"dense_milliseconds", dense.best()},
          {"ratio", variant.best() / dense.best()},
          {"allowed_ratio", v.allowed},
          {"repeats_milliseconds", variant.milliseconds},
          {"repeats_dense_milliseconds", dense.milliseconds}};
}

}  // namespace

std::vector<Variant> make_variants(int64_t T, int64_t heads, int64_t width, Mask mask, at::ScalarType dtype) {
  const AttentionCase c = make_case(T, heads, width, mask, dtype);
  const bool causal = mask == Mask::causal;
  const Attended dense{c, with_options(T, causal)};
  const at::Tensor rows = at::arange(T + T / 4).unsqueeze(0);
  const auto by_head = [](const at::Tensor& t) { return t.transpose(1, 2).contiguous().transpose(1, 2); };
  std::vector<Variant> all = {
      {"left padding", 1.1, padded(c, rows.lt(T / 4)), dense},
      {"holes", 1.1, padded(c, rows.remainder(5).eq(4)), dense},
      {"four packed sequences", 1.1, packed(c), dense},
      {"[B, H, T, K] storage", 1.1, {each(c, by_head), dense.attention}, dense},
      grouped(c),
      {"no normalisation", 1.05, {c, with_options(T, causal, {.normalize = false})}, dense}};
  if (causal) {
    const at::Tensor decay = at::full({heads}, kDecay, at::kFloat);
    all.push_back({"decay", 1.05, {c, with_options(T, causal, {.decay = decay})}, dense});
  }
  return all;
}

void check(const Variant& variant) {
  for (const Attended* side : {&variant.variant, &variant.dense}) {
    const AttentionPasses exact =
        run_attention(converted(side->inputs, at::kDouble), side->attention, true);  // the reference
    expect_close(variant.name, side->inputs, run_attention(side->inputs, side->attention, true), exact, true);
  }
}

nlohmann::json bench_variants(const AttentionBenchOptions& options) {
  keep_freed_memory();
  nlohmann::json report = machine_json(options.threads);
  report["schema_version"] = 1;
  report["shape"] = {{"B", 1}, {"H", options.heads}, {"K", options.width}, {"V", options.width}};
  report["rounds"] = options.rounds;
  for (const at::ScalarType dtype : options.dtypes) {
    for (const Mask mask : options.masks) {
      // One length for the quadratic form and one for the chunked.
      for (const int64_t T : {100, 700}) {
        for (const Variant& v :
             make_variants(T, std::min<int64_t>(options.heads, 4), options.width, mask, dtype))
          check(v);
      }
      // After the checks: a thread that starts later inherits the core of the one that starts it.
      const BoundThreads bound(options.threads);
      for (const int64_t T : options.lengths) {
        std::fprintf(stderr, "bench: %s, %s, T = %lld\n", name(dtype), name(mask), static_cast<long long>(T));
        for (const Variant& v : make_variants(T, options.heads, options.width, mask, dtype)) {
          for (const bool backward : {false, true}) {
            const auto run = [&](const Attended& side) {
              run_attention(side.inputs, side.attention, backward);
            };
            run(v.variant);
            run(v.dense);
            Timing variant, dense;
            for (int round = 0; round < options.rounds; ++round) {
              measure_round(dense, [&] { run(v.dense); });
              measure_round(variant, [&] { run(v.variant); });
            }
            report["results"].push_back(row(v, backward, variant, dense));
          }
        }
      }
    }
  }
  return report;
}

std::string variants_table(const nlohmann::json& report) {
  Table table({"dtype", "mask", "variant", "pass", "T", "ms", "dense ms", "ratio", "allowed"}, 4);
  for (const auto& r : report["results"]) {
    table.add({r["dtype"], r["mask"], r["variant"], r["pass"], io::readable_number(r["length"], 1),
               fixed(r["milliseconds"], 2), fixed(r["dense_milliseconds"], 2), fixed(r["ratio"], 2),
               fixed(r["allowed_ratio"], 2)});
  }
  return report["processor"].get<std::string>() + ", " + std::to_string(report["threads"].get<int>()) +
         " threads; dense: the same tokens alone\n\n" + table.text();
}

}  // namespace cosformer::cli
