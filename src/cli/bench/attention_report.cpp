#include <algorithm>

#include "cli/bench/attention.h"
#include "cli/table.h"
#include "io/chart.h"

namespace cosformer::cli {
namespace {

using Json = nlohmann::json;

double number(const Json& row, const char* key) {
  return row.contains(key) ? row[key].get<double>() : std::numeric_limits<double>::quiet_NaN();
}

/// What all rows share, and where they were measured: one line.
std::string conditions(const Json& report) {
  const auto& shape = report["shape"];
  const auto size = [&](const char* name) { return std::to_string(shape[name].get<int64_t>()); };
  return "B = 1, H = " + size("H") + ", K = V = " + size("K") + ", " +
         std::to_string(report["threads"].get<int>()) + " threads, " +
         report["processor"].get<std::string>() + ", LibTorch " + report["libtorch"].get<std::string>() +
         ", cosformer " + report["version"].get<std::string>() + " (" + report["commit"].get<std::string>() +
         "), best of " + std::to_string(report["processes"].size()) + " x " +
         std::to_string(report["rounds"].get<int>()) + " rounds";
}

std::string peaks(const Json& report) {
  std::string text;
  for (const auto& [dtype, levels] : report["peak_gigaflops_per_second"].items()) {
    text += "peak of " + dtype + ":";
    for (const auto& [isa, peak] : levels.items()) text += " " + isa + " " + fixed(peak, 0) + " GF/s,";
    text.back() = '\n';
  }
  return text + "reading " + fixed(report["bandwidth_gigabytes_per_second"], 1) + " GB/s\n";
}

/// The rows of one dtype and mask, which stand together.
struct Group {
  std::string title;
  std::vector<Json> rows;
};

std::vector<Group> groups(const Json& report) {
  std::vector<Group> all;
  for (const auto& row : report["results"]) {
    const std::string title = row["dtype"].get<std::string>() + ", " + row["mask"].get<std::string>();
    if (all.empty() || all.back().title != title) all.push_back({title, {}});
    all.back().rows.push_back(row);
  }
  return all;
}

std::string table_of(const Group& group) {
  Table table({"pass", "implementation", "T", "ms", "fresh pages", "GF/s", "GB/s", "roofline", "x SDPA"}, 2);
  Json length;
  for (const Json& row : group.rows) {
    if (!length.is_null() && row["length"] != length) table.add_gap();
    length = row["length"];
    const bool has_roofline = row.contains("percent_of_roofline");
    const bool compared = row["implementation"] != "SDPA";
    table.add({row["pass"], row["implementation"], io::readable_number(length, 1),
               fixed(row["milliseconds"], 2), fixed(number(row, "fresh_pages_milliseconds"), 2),
               fixed(number(row, "gigaflops_per_second"), 1), fixed(number(row, "gigabytes_per_second"), 1),
               has_roofline ? fixed(row["percent_of_roofline"], 0) + " %" : "-",
               compared ? fixed(number(row, "times_faster_than_sdpa"), 1) : "-"});
  }
  return group.title + "\n\n" + table.text() + "\n";
}

/// One line for each way in each pass, of what `key` holds.
io::Chart chart_of(const Group& group, const char* key) {
  io::Chart chart;
  chart.x_title = "sequence length T (tokens)";
  chart.x_scale = io::Scale::log2;
  std::vector<std::string> ways;
  for (const Json& row : group.rows) {
    const std::string way = row["implementation"];
    if (std::find(ways.begin(), ways.end(), way) == ways.end()) ways.push_back(way);
  }
  for (std::size_t i = 0; i < ways.size(); ++i) {
    for (const bool backward : {false, true}) {
      io::ChartSeries series{
          ways[i] + (backward ? ", with backward" : ", forward"), {}, static_cast<int>(i), backward};
      for (const Json& row : group.rows) {
        if (row["implementation"] == ways[i] && (row["pass"] == "forward+backward") == backward &&
            row.contains(key)) {
          series.points.push_back({row["length"].get<double>(), row[key].get<double>()});
        }
      }
      std::sort(series.points.begin(), series.points.end(),
                [](const auto& a, const auto& b) { return a.x < b.x; });
      if (!series.points.empty()) chart.series.push_back(std::move(series));
    }
  }
  return chart;
}

}  // namespace

std::string attention_table(const Json& report) {
  std::string text = conditions(report) + "\n" + peaks(report) + "\n";
  for (const Group& group : groups(report)) text += table_of(group);
  for (const auto& skipped : report["skipped"]) {
    text += skipped["implementation"].get<std::string>() + " skipped, " +
            skipped["dtype"].get<std::string>() + ", " + skipped["mask"].get<std::string>();
    if (skipped.contains("length")) text += ", T = " + io::readable_number(skipped["length"], 1);
    text += ": " + skipped["reason"].get<std::string>() + "\n";
  }
  return text;
}

std::string attention_chart(const Json& report) {
  std::vector<io::Chart> panels;
  for (const Group& group : groups(report)) {
    panels.push_back(chart_of(group, "milliseconds"));
    panels.back().title = "Attention: time against length, " + group.title;
    panels.back().note = conditions(report);
    panels.back().y_title = "milliseconds";
    panels.back().y_scale = io::Scale::log10;
    panels.push_back(chart_of(group, "percent_of_roofline"));
    panels.back().title = "Attention: percent of the roofline against length, " + group.title;
    panels.back().note =
        "The roofline is the larger of operations over peak and traffic over bandwidth, of the linear form.";
    panels.back().y_title = "percent of roofline";
  }
  return io::to_svg(panels);
}

}  // namespace cosformer::cli
