#include "io/chart.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "io/xml_text.h"

namespace cosformer::io {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::vector<std::string> labels(const ChartAxis& axis) {
  std::vector<std::string> all;
  for (const auto& tick : axis.ticks()) all.push_back(tick.label);
  return all;
}

Chart chart_of(std::vector<ChartPoint> points) {
  Chart chart;
  chart.title = "title";
  chart.series.push_back({"one", std::move(points), std::nullopt, false});
  return chart;
}

using Strings = std::vector<std::string>;

TEST(ChartAxis, LinearTicksAreRoundAndCoverTheData) {
  const ChartAxis axis(Scale::linear, 1.62, 4.03, 6, true);
  EXPECT_EQ(labels(axis), (Strings{"1.5", "2.0", "2.5", "3.0", "3.5", "4.0", "4.5"}));
  EXPECT_LE(axis.low(), 1.62);
  EXPECT_GE(axis.high(), 4.03);
}

TEST(ChartAxis, UnroundedRangeKeepsItsTicksInside) {
  const ChartAxis axis(Scale::linear, -30, 1000, 5, false);
  EXPECT_EQ(labels(axis), (Strings{"0", "500", "1,000"}));
  EXPECT_EQ(axis.low(), -30);
}

TEST(ChartAxis, Log2MarksPowersOfTwo) {
  EXPECT_EQ(labels(ChartAxis(Scale::log2, 512, 16384, 8, false)),
            (Strings{"512", "1,024", "2,048", "4,096", "8,192", "16,384"}));
  EXPECT_LE(ChartAxis(Scale::log2, 1, 1 << 20, 8, false).ticks().size(), 9U);
}

TEST(ChartAxis, Log10MarksDecadesAndTheirPartsWhereFew) {
  EXPECT_EQ(labels(ChartAxis(Scale::log10, 0.6, 9000, 6, true)),
            (Strings{"1", "10", "100", "1,000", "10,000"}));
  EXPECT_EQ(labels(ChartAxis(Scale::log10, 0.3, 8, 6, true)), (Strings{"0.2", "0.5", "1", "2", "5", "10"}));
}

TEST(ChartAxis, LogarithmicPixelsAreEquallyFarForEqualRatios) {
  ChartAxis axis(Scale::log10, 1, 100, 6, false);
  axis.place(0, 200);
  EXPECT_NEAR(axis.pixel(10), 100, 1e-9);
}

TEST(ChartAxis, EqualEndsStillMakeARange) {
  for (const Scale scale : {Scale::linear, Scale::log2, Scale::log10}) {
    ChartAxis axis(scale, 3, 3, 6, true);
    axis.place(0, 100);
    EXPECT_GT(axis.pixel(3), 0);
    EXPECT_LT(axis.pixel(3), 100);
  }
}

TEST(ReadableNumber, GroupsThousandsAndShortensMillions) {
  EXPECT_EQ(readable_number(16384, 1), "16,384");
  EXPECT_EQ(readable_number(-1234567, 1e5), "-1.2M");
  EXPECT_EQ(readable_number(999, 1), "999");
  EXPECT_EQ(readable_number(0.05, 0.01), "0.05");
  EXPECT_EQ(readable_number(2, 0.5), "2.0");
  EXPECT_EQ(readable_number(2e-9, 1e-9), "2e-09");
}

TEST(Chart, NamesTitlesAndAxesAreEscaped) {
  Chart chart = chart_of({{1, 1}, {2, 2}});
  chart.title = "a < b & \"c\"";
  chart.series[0].name = "<script>";
  const std::string svg = to_svg(chart);
  EXPECT_NE(svg.find("a &lt; b &amp; &quot;c&quot;"), std::string::npos);
  EXPECT_NE(svg.find("&lt;script&gt;"), std::string::npos);
  EXPECT_EQ(svg.find("<script>"), std::string::npos);
}

TEST(Chart, NotANumberLeavesAGap) {
  EXPECT_EQ(occurrences(to_svg(chart_of({{1, 1}, {2, 2}, {3, 3}})), "<path"), 1U);
  EXPECT_EQ(occurrences(to_svg(chart_of({{1, 1}, {2, kNaN}, {3, 3}})), "<path"), 2U);
  const std::string svg = to_svg(chart_of({{1, 1}, {2, kNaN}, {3, 3}}));
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(Chart, ZeroHasNoPlaceOnALogarithmicAxis) {
  Chart chart = chart_of({{0, 1}, {1, 1}, {10, 2}});
  chart.x_scale = Scale::log10;
  const std::string svg = to_svg(chart);
  EXPECT_EQ(occurrences(svg, "<circle"), 2U);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

TEST(Chart, WithoutPointsItSaysSo) {
  EXPECT_NE(to_svg(Chart{}).find("no points to draw"), std::string::npos);
  EXPECT_NE(to_svg(chart_of({{kNaN, 1}})).find("no points to draw"), std::string::npos);
}

TEST(Chart, PointsFollowTheAxes) {
  const std::string svg = to_svg(chart_of({{0, 0}, {1, 1}}));
  // From the lower left to the upper right: x grows, y (downwards on the page) falls.
  const std::size_t at = svg.find("d=\"M");
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  ASSERT_EQ(std::sscanf(svg.c_str() + at, "d=\"M%lf %lfL%lf %lf", &x1, &y1, &x2, &y2), 4)
      << svg.substr(at, 60);
  EXPECT_LT(x1, x2);
  EXPECT_NEAR(y1 - y2, 340, 0.1);
}

TEST(Chart, ManyPointsAreThinnedButTheExtremesStay) {
  std::vector<ChartPoint> points;
  for (int i = 0; i < 100000; ++i)
    points.push_back({static_cast<double>(i), i == 54321 ? 100.0 : i % 7 * 0.1});
  const std::string svg = to_svg(chart_of(points));
  EXPECT_LT(svg.size(), 60000U);
  double highest = 1e9, x = 0, y = 0;
  for (std::size_t at = svg.find("d=\"M") + 3; at < svg.size() && svg[at] != '"';) {
    int used = 0;
    ASSERT_EQ(std::sscanf(svg.c_str() + at + 1, "%lf %lf%n", &x, &y, &used), 2);
    highest = std::min(highest, y);
    at += 1 + static_cast<std::size_t>(used);
  }
  double top = 0;
  ASSERT_EQ(
      std::sscanf(svg.c_str() + svg.rfind("class=\"grid\""), "class=\"grid\" x1=\"%*f\" y1=\"%lf", &top), 1);
  EXPECT_NEAR(highest, top, 0.1) << "the peak lies on the highest grid line, 100";
}

TEST(Chart, NamesAtTheLinesEndsDoNotOverlap) {
  Chart chart;
  for (int i = 0; i < 6; ++i) {
    chart.series.push_back({"run" + std::to_string(i), {{0, 1}, {1, 2 + 1e-6 * i}}, std::nullopt, false});
  }
  const std::string svg = to_svg(chart);
  std::vector<double> heights;
  for (int i = 0; i < 6; ++i) {
    const std::size_t name = svg.find(">run" + std::to_string(i) + "</text>");
    ASSERT_NE(name, std::string::npos);
    double y = 0;
    ASSERT_EQ(std::sscanf(svg.c_str() + svg.rfind("y=\"", name), "y=\"%lf", &y), 1);
    heights.push_back(y);
  }
  std::sort(heights.begin(), heights.end());
  for (std::size_t i = 1; i < heights.size(); ++i) EXPECT_GE(heights[i] - heights[i - 1], 17);
}

TEST(Chart, ABandReachesFromLowToHighAndLeavesGaps) {
  Chart chart = chart_of({{0, 5}, {1, 5}, {2, 5}, {3, 5}});
  chart.series[0].band = {{0, 0, 10}, {1, 4, 6}, {2, kNaN, kNaN}, {3, 5, 5}};
  const std::string svg = to_svg(chart);
  EXPECT_EQ(occurrences(svg, "<path class=\"band\""), 2U);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  // The axis takes the band in, so its first place spans the plot's height of 340 pixels.
  const std::size_t d = svg.find("d=\"M", svg.find("class=\"band\"")) + 4;
  const std::string path = svg.substr(d, svg.find('"', d) - d);
  double x = 0, high = 0, low = 0;
  ASSERT_EQ(std::sscanf(path.c_str(), "%lf %lf", &x, &high), 2);
  ASSERT_EQ(std::sscanf(path.c_str() + path.rfind('L') + 1, "%lf %lf", &x, &low), 2);
  EXPECT_NEAR(low - high, 340, 0.2);
}

TEST(Chart, ABandOfManyPlacesKeepsItsExtremes) {
  Chart chart = chart_of({{0, 0}, {99'999, 0}});
  for (int i = 0; i < 100'000; ++i) chart.series[0].band.push_back({double(i), -1, i == 50'000 ? 10.0 : 1.0});
  const std::string svg = to_svg(chart);
  EXPECT_LT(svg.size(), 60'000U);
  double top = 1e9;
  const std::size_t begin = svg.find("d=\"M", svg.find("class=\"band\"")), end = svg.find('Z', begin);
  for (std::size_t at = begin; at < end; at = svg.find(' ', at + 1)) {
    double y = 0;
    if (svg[at] == ' ' && std::sscanf(svg.c_str() + at, "%lf", &y) == 1) top = std::min(top, y);
  }
  const std::size_t grid = svg.find("y1=\"", svg.rfind("class=\"grid\""));
  EXPECT_NEAR(top, std::stod(svg.substr(grid + 4)), 0.2) << "10 is the uppermost tick";
}

TEST(XmlText, ReplacesWhatIsNotUtf8OrForbidden) {
  EXPECT_EQ(xml_text("é"), "é");
  EXPECT_EQ(xml_text(std::string("a\x01z", 3)), "a\xEF\xBF\xBDz");
  EXPECT_EQ(xml_text("\xC3"), "\xEF\xBF\xBD");
  EXPECT_EQ(xml_text("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(xml_text("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(XmlText, ShortensAndWrapsByCharacters) {
  EXPECT_EQ(shortened("ééé", 3), "ééé");
  EXPECT_EQ(shortened("éééé", 3), "éé…");
  EXPECT_EQ(wrapped("one two  three", 7), (Strings{"one two", "three"}));
  EXPECT_EQ(wrapped("", 7), Strings{});
}

TEST(Svg, SeveralChartsStandBelowEachOther) {
  const Chart one = chart_of({{0, 1}, {1, 2}});
  Chart two = one;
  two.title = "second";
  const std::string single = to_svg(one), both = to_svg(std::vector{one, two});
  EXPECT_EQ(occurrences(both, "<svg"), 1U);
  EXPECT_EQ(occurrences(both, "class=\"axis\""), 2 * occurrences(single, "class=\"axis\""));
  EXPECT_EQ(occurrences(both, ">second<"), 1U);
  const auto height = [](const std::string& svg) { return std::stod(svg.substr(svg.find("height=\"") + 8)); };
  EXPECT_EQ(height(both), 2 * height(single));
  char second[64];
  std::snprintf(second, sizeof second, "translate(0 %.1f)", height(single));
  EXPECT_EQ(occurrences(both, second), 1U);
}

}  // namespace
}  // namespace cosformer::io
