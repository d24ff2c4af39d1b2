#include "cli/run_curves.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/bench/metrics.h"
#include "cosformer/error.h"
#include "io/xml_text.h"
#include "train/run_folder.h"

namespace cosformer::cli {
namespace {

using Curve = std::vector<io::ChartPoint>;
using Group = std::vector<std::string>;

/// Equal for runs that are to be one curve.
std::string recipe_but_seed(const std::string& run) {
  try {
    train::Recipe recipe = train::read_run_recipe(run);
    recipe.seed = 0;
    return to_toml(recipe);
  } catch (const FormatError&) {
    return run;
  }
}

std::vector<Group> grouped(const std::vector<std::string>& runs) {
  std::vector<Group> groups;
  std::map<std::string, std::size_t> places;
  for (const std::string& run : runs) {
    const auto [place, is_new] = places.emplace(recipe_but_seed(run), groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(run);
  }
  return groups;
}

/// What the names of runs begin with in common, "softmax" of softmax-1 and softmax-2; else the first's name.
std::string common_name(const Group& group) {
  const std::string first = run_name(group.front());
  std::string common = first;
  for (const std::string& run : group) {
    const std::string name = run_name(run);
    common.erase(std::mismatch(common.begin(), common.end(), name.begin(), name.end()).first, common.end());
  }
  const std::size_t last = common.find_last_not_of("-_. ");
  return last == std::string::npos ? first : common.substr(0, last + 1);
}

io::ChartSeries averaged(const std::vector<Curve>& curves) {
  std::map<double, std::vector<double>> values;
  for (const Curve& curve : curves) {
    for (const io::ChartPoint& point : curve) values[point.x].push_back(point.y);
  }
  io::ChartSeries series;
  for (const auto& [step, all] : values) {
    double sum = 0;
    for (const double value : all) sum += value;
    const double mean = sum / static_cast<double>(all.size());
    series.points.push_back({step, mean});
    if (all.size() < 2) continue;
    // A NaN among the values is one in their mean, and both leave a gap.
    const auto [low, high] = std::minmax_element(all.begin(), all.end());
    series.band.push_back(!std::isnan(mean) ? io::ChartBand{step, *low, *high}
                                            : io::ChartBand{step, mean, mean});
  }
  return series;
}

}  // namespace

std::vector<io::ChartSeries> run_curves(const std::vector<std::string>& runs, const std::string& split,
                                        const std::string& metric) {
  std::vector<io::ChartSeries> series;
  for (const Group& group : grouped(runs)) {
    std::vector<Curve> curves;
    for (const std::string& run : group) {
      curves.push_back(read_metric(run, split, metric));
      if (curves.back().empty()) {
        throw FormatError(run + "/metrics.jsonl: expected lines with split " + split + " and " + metric +
                          ", got none");
      }
    }
    series.push_back(averaged(curves));
    series.back().name = common_name(group);
    if (group.size() > 1) {
      series.back().name =
          io::shortened(series.back().name, 13) + ", " + std::to_string(group.size()) + " runs, min to max";
    }
  }
  return series;
}

std::string metric_chart(const std::vector<std::string>& runs, const std::string& split,
                         const std::string& metric, const std::string& title, const std::string& note) {
  io::Chart chart;
  chart.title =
      title.empty() ? (metric == "loss" ? "Loss" : metric) + " against step, split " + split : title;
  chart.note = note;
  chart.x_title = "step";
  chart.y_title = metric == "loss" ? split + " loss (nats per predicted token)" : split + " " + metric;
  chart.series = run_curves(runs, split, metric);
  const bool has_band = std::any_of(chart.series.begin(), chart.series.end(),
                                    [](const io::ChartSeries& series) { return !series.band.empty(); });
  if (has_band) {
    chart.note +=
        std::string(chart.note.empty() ? "" : ". ") +
        "A line with a band is the mean of runs that differ in seed alone; the band reaches from the "
        "lowest to the highest of them";
  }
  return io::to_svg(chart);
}

}  // namespace cosformer::cli
