#pragma once

#include <string>
#include <vector>

#include "io/chart.h"

/// Lines and bands in pixels, as the d attribute of an SVG path.
namespace cosformer::io {

/// With one decimal.
std::string pixel_text(double value);

/// A line of many points is thinned to what a pixel shows: of each column the first, lowest, highest and last
/// point stay.
std::string line_path(const std::vector<ChartPoint>& points);

/// The area between `low` and `high`; of many places each pixel column keeps its widest extent.
std::string band_path(const std::vector<ChartBand>& places);

}  // namespace cosformer::io
