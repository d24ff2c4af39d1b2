#include "cli/bench/metrics.h"

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "cosformer/error.h"
#include "io/mapped_file.h"

namespace cosformer::cli {

std::vector<io::ChartPoint> read_metric(const std::filesystem::path& run, const std::string& split,
                                        const std::string& metric) {
  const std::filesystem::path path = run / "metrics.jsonl";
  const io::MappedFile file(path);
  std::map<double, double> values;
  int number = 0;
  for (std::string_view text = file.text(); !text.empty();) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const bool is_last = end == text.size();
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(is_last ? end : end + 1);
    if (line.empty()) continue;
    const auto json = nlohmann::json::parse(line, nullptr, false);
    // A run that was stopped in the middle of a line leaves its last one incomplete.
    if (json.is_discarded() && is_last) break;
    const auto refuse = [&](const std::string& expected) {
      throw FormatError(path.string() + ":" + std::to_string(number) + ": expected " + expected);
    };
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number())
      refuse("an object with a step");
    if (json.value("split", nlohmann::json()) != split || !json.contains(metric)) continue;
    const auto& value = json[metric];
    if (!value.is_number() && !value.is_null()) refuse("a number as " + metric + ", got " + value.dump());
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
