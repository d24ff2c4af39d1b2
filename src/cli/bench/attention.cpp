#include "cli/bench/attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <cstdio>
#include <map>

#include "cli/bench/check.h"
#include "cli/bench/contender.h"
#include "cli/bench/machine.h"
#include "cli/bench/roofline.h"
#include "cli/bench/timing.h"

namespace cosformer::cli {
namespace {

const char* pass_name(bool backward) {
  return backward ? "forward+backward" : "forward";
}

std::vector<Contender> contenders(const AttentionBenchOptions& options) {
  std::vector<Contender> all = {operator_contender()};
  for (const Isa isa : options.isas) {
    for (const Form form : options.forms) {
      if (form == Form::recurrent && !options.causal) continue;
      all.push_back(kernel_contender(isa, form));
      if (form == Form::quadratic) all.back().longest = kLongestQuadratic;
    }
  }
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
  for (const bool backward : {false, true}) {
    for (const Contender& contender : all) {
      if ((contender.longest != 0 && c.T > contender.longest) || (backward && !contender.has_backward))
        continue;
      if (contender.cosine && !backward) check_by_other_form(contender, c);
      contender.run(c, backward);  // touches the memory that the rounds will use
      measured.push_back({&contender, backward, {}});
    }
  }
  for (int round = 0; round < rounds; ++round) {
    roofline.measure_bandwidth();
    for (Measured& m : measured) {
      roofline.measure_arithmetic(m.contender->isa);
      measure_round(m.timing, [&] { m.contender->run(c, m.backward); });
    }
  }
  for (Measured& m : measured) measure_fresh(m.timing, [&] { m.contender->run(c, m.backward); });
  return measured;
}

/// Everything but what needs the run's final peaks.
nlohmann::json entry(const Measured& m, const AttentionCase& c) {
  nlohmann::json json = {{"length", c.T},
                         {"implementation", m.contender->name},
                         {"isa", name(m.contender->isa)},
                         {"pass", pass_name(m.backward)},
                         {"milliseconds", m.timing.best()},
                         {"fresh_pages_milliseconds", m.timing.best_fresh()},
                         {"repeats_milliseconds", m.timing.milliseconds},
                         {"repeats_fresh_pages_milliseconds", m.timing.fresh_pages_milliseconds}};
  return json;
}

void add_rates(nlohmann::json& json, const Measured& m, const AttentionCase& c, const Roofline& roofline) {
  const double seconds = m.timing.best() / 1e3;
  const Work forward = forward_work(c), backward = backward_work(c);
  json["gigaflops_per_second"] =
      (forward.operations + (m.backward ? backward.operations : 0)) / seconds / 1e9;
  json["gigabytes_per_second"] = (forward.bytes + (m.backward ? backward.bytes : 0)) / seconds / 1e9;
  json["percent_of_roofline"] = 100 * roofline.floor(m.contender->isa, c, m.backward) / seconds;
}

}  // namespace

nlohmann::json bench_attention(const AttentionBenchOptions& options) {
  keep_freed_memory();
  at::set_num_threads(options.threads);
  const std::vector<Contender> all = contenders(options);
  for (const Contender& contender : all) {
    if (contender.cosine) check_by_definition(contender, options.heads, options.width, options.causal);
  }
  Roofline roofline(options.threads);
  std::vector<AttentionCase> cases;
  std::vector<std::pair<std::size_t, Measured>> results;
  for (const int64_t T : options.lengths) {
    std::fprintf(stderr, "bench: T = %lld\n", static_cast<long long>(T));
    // Only sizes are needed once a length is done.
    const AttentionCase c = make_case(T, options.heads, options.width, options.causal);
    cases.push_back({T,
                     options.causal,
                     at::empty({1, T, options.heads, options.width}, at::device(at::kMeta)),
                     {},
                     {},
                     {}});
    for (Measured& m : measure_length(c, all, options.rounds, roofline))
      results.emplace_back(cases.size() - 1, std::move(m));
  }

  nlohmann::json report = machine_json(options.threads);
  report["shape"] = {{"B", 1}, {"H", options.heads}, {"K", options.width}, {"V", options.width}};
  report["dtype"] = "float32";
  report["causal"] = options.causal;
  report["rounds"] = options.rounds;
  for (const auto& [isa, peak] : roofline.peaks())
    report["peak_gigaflops_per_second"][name(isa)] = peak / 1e9;
  report["bandwidth_gigabytes_per_second"] = roofline.bandwidth() / 1e9;
  report["skipped"] = nlohmann::json::array();
  for (const Contender& contender : all) {
    for (const int64_t T : options.lengths) {
      if (contender.longest == 0 || T <= contender.longest) continue;
      report["skipped"].push_back({{"implementation", contender.name}, {"length", T}});
    }
  }
  for (const auto& [at, m] : results) {
    nlohmann::json json = entry(m, cases[at]);
    if (m.contender->cosine) add_rates(json, m, cases[at], roofline);
    report["results"].push_back(std::move(json));
  }
  return report;
}

}  // namespace cosformer::cli
