#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/chart_axis.h"

/// Line charts as SVG: one file that needs nothing else, light or dark as the reader's screen is, every line
/// named at its end.
namespace cosformer::io {

struct ChartPoint {
  double x = 0, y = 0;
};

/// From `low` to `high` at x.
struct ChartBand {
  double x = 0, low = 0, high = 0;
};

struct ChartSeries {
  std::string name;
  std::vector<ChartPoint> points;  ///< by ascending x; a point without a place on an axis (NaN) leaves a gap
  std::optional<int> color;        ///< colours are numbered from 0 and repeat; none: the series' own number
  bool dashed = false;
  std::vector<ChartBand> band = {};  ///< a shade behind the line, by ascending x; gaps as in points
};

struct Chart {
  std::string title;
  std::string note;  ///< small text below the title: machine, versions; wrapped as needed
  std::string x_title, y_title;
  Scale x_scale = Scale::linear, y_scale = Scale::linear;
  std::vector<ChartSeries> series;
};

/// The chart as the text of an SVG file, 840 pixels wide. All text is escaped; a chart without a drawable
/// point says so. Lines of many points are thinned to what a pixel shows: lowest, highest, first and last
/// stay.
std::string to_svg(const Chart& chart);
/// Several charts below each other in one file.
std::string to_svg(const std::vector<Chart>& charts);

}  // namespace cosformer::io
