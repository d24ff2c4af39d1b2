#include "io/chart_path.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace cosformer::io {
namespace {

/// As many points as a chart can show apart, several a column.
constexpr std::size_t kMostPoints = 3360;

/// Calls body(begin, end) for each run of elements in one pixel column.
template <class T, class Body>
void for_each_column(const std::vector<T>& all, const Body& body) {
  for (std::size_t begin = 0; begin < all.size();) {
    std::size_t end = begin;
    while (end < all.size() && std::floor(all[end].x) == std::floor(all[begin].x)) ++end;
    body(begin, end);
    begin = end;
  }
}

std::vector<ChartPoint> thinned(const std::vector<ChartPoint>& points) {
  if (points.size() < kMostPoints) return points;
  std::vector<ChartPoint> kept;
  for_each_column(points, [&](std::size_t begin, std::size_t end) {
    std::size_t lowest = begin, highest = begin;
    for (std::size_t i = begin; i < end; ++i) {
      if (points[i].y < points[lowest].y) lowest = i;
      if (points[i].y > points[highest].y) highest = i;
    }
    std::vector<std::size_t> chosen = {begin, lowest, highest, end - 1};
    std::sort(chosen.begin(), chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    for (const std::size_t i : chosen) kept.push_back(points[i]);
  });
  return kept;
}

std::vector<ChartBand> thinned(const std::vector<ChartBand>& places) {
  if (places.size() < kMostPoints) return places;
  std::vector<ChartBand> kept;
  for_each_column(places, [&](std::size_t begin, std::size_t end) {
    ChartBand widest = places[begin];
    for (std::size_t i = begin; i < end; ++i) {
      // Pixels grow downwards.
      widest.low = std::max(widest.low, places[i].low);
      widest.high = std::min(widest.high, places[i].high);
    }
    kept.push_back(widest);
  });
  return kept;
}

void append(std::string& path, double x, double y) {
  path.append(path.empty() ? "M" : "L").append(pixel_text(x)).append(" ").append(pixel_text(y));
}

}  // namespace

std::string pixel_text(double value) {
  char text[48];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, 1);
  return std::string(text, end.ptr);
}

std::string line_path(const std::vector<ChartPoint>& points) {
  std::string path;
  for (const ChartPoint& point : thinned(points)) append(path, point.x, point.y);
  if (points.size() == 1) path += "h0";  // a lone point shows as its round cap
  return path;
}

std::string band_path(const std::vector<ChartBand>& places) {
  const std::vector<ChartBand> kept = thinned(places);
  std::string path;
  for (const ChartBand& place : kept) append(path, place.x, place.high);
  for (auto place = kept.rbegin(); place != kept.rend(); ++place) append(path, place->x, place->low);
  return path + "Z";
}

}  // namespace cosformer::io
