// What a report says beyond what was measured: worked out from its own rows, so that reports can be merged.

#include <algorithm>
#include <limits>

#include "cli/bench/attention.h"
#include "cli/bench/roofline.h"
#include "cosformer/error.h"

namespace cosformer::cli {
namespace {

/// The least of all processes' repeats.
double best(const nlohmann::json& repeats) {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& process : repeats) {
    for (const auto& value : process) least = std::min(least, value.get<double>());
  }
  return least;
}

std::string key(const nlohmann::json& row) {
  std::string text;
  for (const char* part : {"dtype", "mask", "length", "implementation", "pass"})
    text += row[part].dump() + " ";
  return text;
}

void add_peaks(nlohmann::json& report) {
  nlohmann::json peaks = nlohmann::json::object();
  double bandwidth = 0;
  for (const auto& process : report["processes"]) {
    bandwidth = std::max(bandwidth, process["bandwidth_gigabytes_per_second"].get<double>());
    for (const auto& [dtype, levels] : process["peak_gigaflops_per_second"].items()) {
      for (const auto& [isa, peak] : levels.items()) {
        nlohmann::json& highest = peaks[dtype][isa];
        if (highest.is_null() || highest < peak) highest = peak;
      }
    }
  }
  report["peak_gigaflops_per_second"] = peaks;
  report["bandwidth_gigabytes_per_second"] = bandwidth;
}

void add_rates(nlohmann::json& row, const nlohmann::json& report) {
  const double seconds = row["milliseconds"].get<double>() / 1e3;
  std::vector<Work> passes;
  double operations = 0, bytes = 0;
  for (const auto& work : row["work"]) {
    passes.push_back({work["operations"], work["bytes"]});
    operations += passes.back().operations;
    bytes += passes.back().bytes;
  }
  const double peak =
      report["peak_gigaflops_per_second"][row["dtype"].get<std::string>()][row["isa"].get<std::string>()];
  const double bandwidth = report["bandwidth_gigabytes_per_second"];
  row["gigaflops_per_second"] = operations / seconds / 1e9;
  row["gigabytes_per_second"] = bytes / seconds / 1e9;
  row["percent_of_roofline"] = 100 * floor_seconds(passes, peak * 1e9, bandwidth * 1e9) / seconds;
}

}  // namespace

void add_figures(nlohmann::json& report) {
  add_peaks(report);
  std::map<std::string, double> milliseconds;
  for (auto& row : report["results"]) {
    row["milliseconds"] = best(row["repeats_milliseconds"]);
    if (row.contains("repeats_fresh_pages_milliseconds"))
      row["fresh_pages_milliseconds"] = best(row["repeats_fresh_pages_milliseconds"]);
    milliseconds[key(row)] = row["milliseconds"];
    if (row.contains("work")) add_rates(row, report);
  }
  for (auto& row : report["results"]) {
    nlohmann::json peer = row;
    peer["implementation"] = "SDPA";
    const auto at = milliseconds.find(key(peer));
    if (at != milliseconds.end())
      row["times_faster_than_sdpa"] = at->second / row["milliseconds"].get<double>();
  }
}

nlohmann::json merged_reports(const std::vector<nlohmann::json>& reports) {
  nlohmann::json merged = reports.at(0);
  for (std::size_t i = 1; i < reports.size(); ++i) {
    const nlohmann::json& other = reports[i];
    const auto append = [](nlohmann::json& list, const nlohmann::json& more) {
      list.insert(list.end(), more.begin(), more.end());
    };
    append(merged["processes"], other["processes"]);
    auto& rows = merged["results"];
    if (rows.size() != other["results"].size())
      throw FormatError("bench: reports of several processes: expected as many rows in each");
    for (std::size_t r = 0; r < rows.size(); ++r) {
      if (key(rows[r]) != key(other["results"][r]))
        throw FormatError("bench: reports of several processes: expected the row " + key(rows[r]) + "got " +
                          key(other["results"][r]));
      for (const char* repeats : {"repeats_milliseconds", "repeats_fresh_pages_milliseconds"}) {
        if (rows[r].contains(repeats)) append(rows[r][repeats], other["results"][r][repeats]);
      }
    }
  }
  add_figures(merged);
  return merged;
}

}  // namespace cosformer::cli
