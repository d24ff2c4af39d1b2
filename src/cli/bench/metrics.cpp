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

}  // namespace cosformer::cli
