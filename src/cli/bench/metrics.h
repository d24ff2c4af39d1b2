#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/chart.h"

/// What runs wrote into metrics.jsonl: one object a line with step, split and numbers.
namespace cosformer::cli {

/// A metric of one split against the step; a number that is null or not finite leaves a gap. A run that was
/// continued may have written a step twice: the later line counts.
/// @throws IoError if the folder holds no metrics.jsonl, FormatError naming the line that is no object with a
/// step
std::vector<io::ChartPoint> read_metric(const std::filesystem::path& run, const std::string& split,
                                        const std::string& metric);

/// A run's name among others: its folder's name.
std::string run_name(const std::filesystem::path& run);

}  // namespace cosformer::cli
