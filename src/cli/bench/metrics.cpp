#include "cli/bench/metrics.h"

#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "cosformer/error.h"

namespace cosformer::cli {

std::vector<io::ChartPoint> read_metric(const std::filesystem::path& run, const std::string& split,
                                        const std::string& metric) {
  const std::filesystem::path path = run / "metrics.jsonl";
  std::ifstream file(path);
  if (!file)
    throw IoError(path.string() + ": cannot be read; expected the folder of a run, got " + run.string());
  std::map<double, double> values;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty()) continue;
    const auto json = nlohmann::json::parse(line, nullptr, false);
    // A run that was stopped in the middle of a line leaves its last one incomplete.
    if (json.is_discarded() && file.eof()) break;
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number()) {
      throw FormatError(path.string() + ":" + std::to_string(number) + ": expected an object with a step");
    }
    if (json.value("split", nlohmann::json()) != split || !json.contains(metric)) continue;
    const auto& value = json[metric];
    values[json["step"]] = value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
  }
  std::vector<io::ChartPoint> points;
  for (const auto& [step, value] : values) points.push_back({step, value});
  return points;
}

std::string run_name(const std::filesystem::path& run) {
  const std::filesystem::path whole = std::filesystem::absolute(run).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

std::string metric_chart(const std::vector<std::string>& runs, const std::string& split,
                         const std::string& metric, const std::string& title, const std::string& note) {
  io::Chart chart;
  chart.title =
      title.empty() ? (metric == "loss" ? "Loss" : metric) + " against step, split " + split : title;
  chart.note = note;
  chart.x_title = "step";
  chart.y_title = metric == "loss" ? split + " loss (nats per predicted token)" : split + " " + metric;
  for (const std::string& run : runs) {
    io::ChartSeries series{run_name(run), read_metric(run, split, metric), std::nullopt, false};
    if (series.points.empty()) {
      throw FormatError(run + "/metrics.jsonl: expected lines with split " + split + " and " + metric +
                        ", got none");
    }
    chart.series.push_back(std::move(series));
  }
  return io::to_svg(chart);
}

}  // namespace cosformer::cli
