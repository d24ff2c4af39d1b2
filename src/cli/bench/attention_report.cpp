#include <algorithm>
#include <map>

#include "cli/bench/attention.h"
#include "cli/table.h"
#include "io/chart.h"

namespace cosformer::cli {
namespace {

double number(const nlohmann::json& entry, const char* key) {
  return entry.contains(key) ? entry[key].get<double>() : std::numeric_limits<double>::quiet_NaN();
}

/// What was measured, and where: one line.
std::string conditions(const nlohmann::json& report) {
  const auto& shape = report["shape"];
  const auto size = [&](const char* name) { return std::to_string(shape[name].get<int64_t>()); };
  return std::string(report["causal"].get<bool>() ? "causal" : "not causal") +
         ", float32, B = 1, H = " + size("H") + ", K = V = " + size("K") + ", " +
         std::to_string(report["threads"].get<int>()) + " threads, " +
         report["processor"].get<std::string>() + ", LibTorch " + report["libtorch"].get<std::string>() +
         ", cosformer " + report["version"].get<std::string>() + " (" + report["commit"].get<std::string>() +
         ")";
}

}  // namespace

std::string attention_table(const nlohmann::json& report) {
  std::map<std::pair<int64_t, std::string>, double> sdpa;
  for (const auto& r : report["results"]) {
    if (r["implementation"] == "SDPA") sdpa[{r["length"], r["pass"]}] = r["milliseconds"];
  }
  Table table({"pass", "implementation", "T", "ms", "fresh pages", "GF/s", "GB/s", "roofline", "x SDPA"}, 2);
  int64_t length = -1;
  for (const auto& r : report["results"]) {
    if (length != -1 && r["length"] != length) table.add_gap();
    length = r["length"];
    const double percent = number(r, "percent_of_roofline");
    const auto peer = sdpa.find({length, r["pass"]});
    const bool compared = peer != sdpa.end() && r["implementation"] != "SDPA";
    table.add({r["pass"], r["implementation"], io::readable_number(static_cast<double>(length), 1),
               fixed(r["milliseconds"], 2), fixed(r["fresh_pages_milliseconds"], 2),
               fixed(number(r, "gigaflops_per_second"), 1), fixed(number(r, "gigabytes_per_second"), 1),
               percent == percent ? fixed(percent, 0) + " %" : "-",
               compared ? fixed(peer->second / r["milliseconds"].get<double>(), 1) : "-"});
  }
  std::string text = conditions(report) + "\n";
  text += "best of " + std::to_string(report["rounds"].get<int>()) + " rounds; peak";
  for (const auto& [isa, peak] : report["peak_gigaflops_per_second"].items())
    text += " " + isa + " " + fixed(peak, 0) + " GF/s,";
  text += " reading " + fixed(report["bandwidth_gigabytes_per_second"], 1) + " GB/s\n\n" + table.text();
  for (const auto& skipped : report["skipped"]) {
    text += skipped["implementation"].get<std::string>() +
            " skipped at T = " + io::readable_number(skipped["length"].get<double>(), 1) +
            ": it would take too long\n";
  }
  return text;
}

std::string attention_chart(const nlohmann::json& report) {
  io::Chart chart;
  chart.title = "Attention: time against length";
  chart.note = conditions(report) + ", best of " + std::to_string(report["rounds"].get<int>()) + " rounds";
  chart.x_title = "sequence length T (tokens)";
  chart.y_title = "milliseconds";
  chart.x_scale = io::Scale::log2;
  chart.y_scale = io::Scale::log10;
  std::vector<std::string> ways;
  for (const auto& r : report["results"]) {
    const std::string way = r["implementation"];
    if (std::find(ways.begin(), ways.end(), way) == ways.end()) ways.push_back(way);
  }
  for (std::size_t i = 0; i < ways.size(); ++i) {
    for (const bool backward : {false, true}) {
      io::ChartSeries series{
          ways[i] + (backward ? ", with backward" : ", forward"), {}, static_cast<int>(i), backward};
      for (const auto& r : report["results"]) {
        if (r["implementation"] == ways[i] && (r["pass"] == "forward+backward") == backward) {
          series.points.push_back({r["length"].get<double>(), r["milliseconds"].get<double>()});
        }
      }
      std::sort(series.points.begin(), series.points.end(),
                [](const auto& a, const auto& b) { return a.x < b.x; });
      if (!series.points.empty()) chart.series.push_back(std::move(series));
    }
  }
  return io::to_svg(chart);
}

}  // namespace cosformer::cli
