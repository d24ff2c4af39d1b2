#pragma once

#include <string>
#include <vector>

#include "io/chart.h"

/// What runs wrote into metrics.jsonl as curves: runs whose recipes differ in seed alone are one.
namespace cosformer::cli {

/// A metric of one split against the step, a curve for each set of runs, in the order of their first ones. Of
/// several runs it is their mean, with a band from the lowest to the highest: at each step of those that have
/// a value there, the band where at least two have one. A number that is null or not finite in one of them
/// leaves a gap. A run whose recipe cannot be read stands alone.
/// @throws IoError, FormatError as read_metric, and FormatError if a run has no such metric
std::vector<io::ChartSeries> run_curves(const std::vector<std::string>& runs, const std::string& split,
                                        const std::string& metric);

/// These curves as an SVG file; an empty title is made up from metric and split.
std::string metric_chart(const std::vector<std::string>& runs, const std::string& split,
                         const std::string& metric, const std::string& title = "",
                         const std::string& note = "");

}  // namespace cosformer::cli
