#include "cli/bench/attention.h"

#include <ATen/Parallel.h>

#include <cstdio>

#include "cli/bench/check.h"
#include "cli/bench/machine.h"
#include "cli/bench/peers.h"
#include "cli/bench/roofline.h"
#include "cli/bench/timing.h"

namespace cosformer::cli {
namespace {

bench::Operand operand(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? bench::Operand::bfloat16 : bench::Operand::float32;
}

std::vector<Contender> contenders(const AttentionBenchOptions& options, at::ScalarType dtype, Mask mask) {
  std::vector<Contender> all = {operator_contender()};
  for (const Isa isa : options.isas) {
    for (const Form form : options.forms) {
      if (form == Form::recurrent && mask != Mask::causal) continue;
      const Contender contender = kernel_contender(isa, form);
      if (kernel_isa(contender, dtype) != isa) continue;  // a lower set's kernels
      all.push_back(contender);
      if (form == Form::quadratic) all.back().longest = kLongestQuadratic;
    }
  }
  if (options.peers && dtype == at::kFloat)
    all.push_back(plain_torch_contender(options.heads, options.width, mask));
  all.push_back(sdpa_contender());
  all.back().longest = options.longest_sdpa;
  return all;
}

struct Measured {
  const Contender* contender;
  bool backward;
  Timing timing;
};

std::vector<Measured> measure_length(const AttentionCase& c, const std::vector<Contender>& all, int rounds,
                                     Roofline& roofline) {
  std::vector<Measured> measured;
  CaseCheck check(c);
  for (const bool backward : {false, true}) {
    for (const Contender& contender : all) {
      if ((contender.longest != 0 && c.T > contender.longest) || (backward && !contender.has_backward))
        continue;
      if (contender.cosine && !backward) check(contender);
      contender.run(c, backward);  // touches the memory that the rounds will use
      measured.push_back({&contender, backward, {}});
    }
  }
  for (int round = 0; round < rounds; ++round) {
    roofline.measure_bandwidth();
    for (Measured& m : measured) {
      roofline.measure_arithmetic(kernel_isa(*m.contender, c.dtype()), operand(c.dtype()));
      measure_round(m.timing, [&] { m.contender->run(c, m.backward); });
    }
  }
  for (Measured& m : measured) measure_fresh(m.timing, [&] { m.contender->run(c, m.backward); });
  return measured;
}

nlohmann::json row(const Contender& contender, bool backward, const std::vector<double>& milliseconds,
                   const AttentionCase& c) {
  nlohmann::json row = {{"dtype", name(c.dtype())},
                        {"mask", name(c.mask)},
                        {"length", c.T},
                        {"implementation", contender.name},
                        {"isa", name(kernel_isa(contender, c.dtype()))},
                        {"pass", backward ? "forward+backward" : "forward"},
                        {"repeats_milliseconds", {milliseconds}}};
  if (contender.cosine) {
    const auto add = [&](const Work& work) {
      row["work"].push_back({{"operations", work.operations}, {"bytes", work.bytes}});
    };
    add(forward_work(c));
    if (backward) add(backward_work(c));
  }
  return row;
}

nlohmann::json row(const Measured& m, const AttentionCase& c) {
  nlohmann::json measured = row(*m.contender, m.backward, m.timing.milliseconds, c);
  measured["repeats_fresh_pages_milliseconds"] = {m.timing.fresh_pages_milliseconds};
  return measured;
}

void skip(nlohmann::json& report, at::ScalarType dtype, Mask mask, const std::string& implementation,
          const std::string& reason, std::optional<int64_t> length = {}) {
  nlohmann::json skipped = {
      {"dtype", name(dtype)}, {"mask", name(mask)}, {"implementation", implementation}, {"reason", reason}};
  if (length) skipped["length"] = *length;
  report["skipped"].push_back(std::move(skipped));
}

}  // namespace

nlohmann::json bench_attention(const AttentionBenchOptions& options) {
  keep_freed_memory();
  Roofline roofline(options.threads);
  nlohmann::json report = machine_json(options.threads);
  report["schema_version"] = 1;
  report["shape"] = {{"B", 1}, {"H", options.heads}, {"K", options.width}, {"V", options.width}};
  report["rounds"] = options.rounds;
  report["results"] = nlohmann::json::array();
  report["skipped"] = nlohmann::json::array();
  for (const at::ScalarType dtype : options.dtypes) {
    for (const Mask mask : options.masks) {
      const std::vector<Contender> all = contenders(options, dtype, mask);
      for (const Contender& contender : all) {
        if (contender.cosine) check_by_definition(contender, options.heads, options.width, mask, dtype);
      }
      PythonPeer fast_transformers;
      if (options.peers && dtype == at::kFloat && mask == Mask::causal) {
        fast_transformers = measure_fast_transformers(options);
        if (!fast_transformers.missing.empty())
          skip(report, dtype, mask, "fast-transformers", fast_transformers.missing);
      }
      const BoundThreads bound(options.threads);
      for (const int64_t T : options.lengths) {
        std::fprintf(stderr, "bench: %s, %s, T = %lld\n", name(dtype), name(mask), static_cast<long long>(T));
        const AttentionCase c = make_case(T, options.heads, options.width, mask, dtype);
        for (const Measured& m : measure_length(c, all, options.rounds, roofline))
          report["results"].push_back(row(m, c));
        Contender peer;
        peer.name = "fast-transformers";
        for (const auto& measured : fast_transformers.rows[T])
          report["results"].push_back(
              row(peer, measured["pass"] == "forward+backward", measured["milliseconds"], c));
        for (const Contender& contender : all) {
          if (contender.longest != 0 && T > contender.longest)
            skip(report, dtype, mask, contender.name, contender.beyond_longest, T);
        }
      }
    }
  }
  report["processes"] = {roofline.json()};
  add_figures(report);
  return report;
}

}  // namespace cosformer::cli
