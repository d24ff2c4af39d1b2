#include "io/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "io/chart_path.h"
#include "io/xml_text.h"

namespace cosformer::io {
namespace {

constexpr double kWidth = 840, kPlotHeight = 340, kEdge = 28;
constexpr double kLabelGap = 18, kSwatch = 18;
constexpr int kColors = 8, kLongestName = 34, kMostMarkedPoints = 24, kMostBoldPoints = 400;

// Colours that stay apart for colour-blind readers too, once for a light and once for a dark page.
constexpr std::string_view kStyle = R"(<style>
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;font-size:12px;fill:#58616c}
.title{font-size:17px;font-weight:600;fill:#1a1e23}.name{font-size:12.5px;fill:#1a1e23}
.page{fill:#ffffff}.grid{stroke:#e7e9ec}.axis{stroke:#aab1b9}
.line{fill:none;stroke:currentColor;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.fine{stroke-width:1.2}.dashed{stroke-dasharray:6 5}.lead{fill:none;stroke:currentColor;stroke-opacity:.45}
.band{fill:currentColor;fill-opacity:.18;stroke:none}
.mark{fill:currentColor;stroke:#ffffff;stroke-width:1.5}
.c0{color:#1f6fd6}.c1{color:#d9601f}.c2{color:#138a68}.c3{color:#8250c8}
.c4{color:#c53a78}.c5{color:#8c7400}.c6{color:#0e8ba3}.c7{color:#6c737c}
@media (prefers-color-scheme:dark){
text{fill:#a3acb6}.title,.name{fill:#eceff2}.page{fill:#15181c}.grid{stroke:#2a2f36}.axis{stroke:#59626c}
.mark{stroke:#15181c}
.c0{color:#5c9ef7}.c1{color:#f28c4f}.c2{color:#35c296}.c3{color:#ae8df2}
.c4{color:#f27fae}.c5{color:#d3b934}.c6{color:#45c3da}.c7{color:#9aa2ab}
}
</style>
)";

std::string text_at(double x, double y, std::string_view attributes, const std::string& text) {
  return "<text x=\"" + pixel_text(x) + "\" y=\"" + pixel_text(y) + "\" " + std::string(attributes) + ">" +
         xml_text(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, std::string_view kind) {
  return "<line class=\"" + std::string(kind) + "\" x1=\"" + pixel_text(x1) + "\" y1=\"" + pixel_text(y1) +
         "\" x2=\"" + pixel_text(x2) + "\" y2=\"" + pixel_text(y2) + "\"/>\n";
}

/// Width in pixels of text in a wide sans-serif font of 12.5 pixels; fonts are the reader's, so this errs
/// upwards.
double text_width(const std::string& text) {
  return 7.4 * static_cast<double>(code_points(text));
}

/// One chart being drawn: axes, then text in the order of the page.
class Drawing {
 public:
  explicit Drawing(const Chart& chart) : chart_(chart) {
    header();
    if (has_points()) {
      fit_axes();
      frame();
      lines();
      names();
    } else {
      plot_bottom_ = plot_top_ + kPlotHeight;
      body_ +=
          text_at(kWidth / 2, plot_top_ + kPlotHeight / 2, "text-anchor=\"middle\"", "no points to draw");
    }
  }

  double height() const { return plot_bottom_ + 66; }
  /// What is drawn, from the top.
  const std::string& body() const { return body_; }

 private:
  bool placeable(const ChartPoint& p) const {
    return drawable(chart_.x_scale, p.x) && drawable(chart_.y_scale, p.y);
  }
  bool placeable(const ChartBand& b) const {
    return placeable(ChartPoint{b.x, b.low}) && placeable(ChartPoint{b.x, b.high});
  }
  ChartPoint pixels(const ChartPoint& p) const { return {x_->pixel(p.x), y_->pixel(p.y)}; }
  ChartBand pixels(const ChartBand& b) const { return {x_->pixel(b.x), y_->pixel(b.low), y_->pixel(b.high)}; }

  bool has_points() const {
    return std::any_of(chart_.series.begin(), chart_.series.end(), [&](const ChartSeries& s) {
      return std::any_of(s.points.begin(), s.points.end(), [&](const ChartPoint& p) { return placeable(p); });
    });
  }

  static std::string color(std::size_t i, const ChartSeries& s) {
    const int own = s.color ? *s.color : static_cast<int>(i % kColors);
    return std::string("c").append(std::to_string((own % kColors + kColors) % kColors));
  }

  void header() {
    double y = 36;
    body_ += text_at(kEdge, y, "class=\"title\"", shortened(chart_.title, 84));
    y += 4;
    for (const std::string& part : wrapped(chart_.note, 118)) body_ += text_at(kEdge, y += 17, "", part);
    y += 30;
    body_ += text_at(kEdge, y, "class=\"name\"", chart_.y_title);
    plot_top_ = y + 16;
  }

  void fit_axes() {
    constexpr double kFar = std::numeric_limits<double>::infinity();
    double x_low = kFar, x_high = -kFar, y_low = kFar, y_high = -kFar, widest = 0;
    for (const ChartSeries& s : chart_.series) {
      widest = std::max(widest, text_width(shortened(s.name, kLongestName)));
      for (const ChartPoint& p : s.points) {
        if (!placeable(p)) continue;
        x_low = std::min(x_low, p.x);
        x_high = std::max(x_high, p.x);
        y_low = std::min(y_low, p.y);
        y_high = std::max(y_high, p.y);
      }
      for (const ChartBand& b : s.band) {
        if (!placeable(b)) continue;
        y_low = std::min(y_low, b.low);
        y_high = std::max(y_high, b.high);
      }
    }
    // A line that begins close to zero, as steps do, is read better from zero.
    if (chart_.x_scale == Scale::linear && x_low > 0 && x_low < 0.1 * x_high) x_low = 0;
    x_.emplace(chart_.x_scale, x_low, x_high, 8, false);
    y_.emplace(chart_.y_scale, y_low, y_high, 6, true);
    double tick_width = 0;
    for (const auto& tick : y_->ticks()) tick_width = std::max(tick_width, text_width(tick.label));
    plot_left_ = kEdge + tick_width + 10;
    plot_right_ = kWidth - kEdge - widest - kSwatch - 26;
    plot_bottom_ = plot_top_ + kPlotHeight;
    x_->place(plot_left_, plot_right_);
    y_->place(plot_bottom_, plot_top_);
  }

  void frame() {
    for (const auto& tick : y_->ticks()) {
      const double y = y_->pixel(tick.value);
      body_ += line(plot_left_, y, plot_right_, y, "grid");
      body_ += text_at(plot_left_ - 10, y + 4, "text-anchor=\"end\"", tick.label);
    }
    body_ += line(plot_left_, plot_bottom_, plot_right_, plot_bottom_, "axis");
    double free_from = -kWidth;
    for (const auto& tick : x_->ticks()) {
      const double x = x_->pixel(tick.value);
      body_ += line(x, plot_bottom_, x, plot_bottom_ + 5, "axis");
      const double half = text_width(tick.label) / 2;
      if (x - half < free_from) continue;
      body_ += text_at(x, plot_bottom_ + 20, "text-anchor=\"middle\"", tick.label);
      free_from = x + half + 8;
    }
    body_ += text_at((plot_left_ + plot_right_) / 2, plot_bottom_ + 42,
                     "class=\"name\" text-anchor=\"middle\"", chart_.x_title);
  }

  /// What can be placed, in pixels, cut where something cannot.
  template <class T>
  std::vector<std::vector<T>> stretches(const std::vector<T>& points) const {
    std::vector<std::vector<T>> all(1);
    for (const T& p : points) {
      if (placeable(p)) {
        all.back().push_back(pixels(p));
      } else if (!all.back().empty()) {
        all.emplace_back();
      }
    }
    if (all.back().empty()) all.pop_back();
    return all;
  }

  void lines() {
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      const ChartSeries& s = chart_.series[i];
      body_ += "<g class=\"" + color(i, s) + "\"><title>" + xml_text(s.name) + "</title>\n";
      for (const auto& stretch : stretches(s.band)) {
        body_ += "<path class=\"band\" d=\"" + band_path(stretch) + "\"/>\n";
      }
      for (const auto& stretch : stretches(s.points)) {
        const std::string kind =
            std::string(s.dashed ? " dashed" : "") + (stretch.size() > kMostBoldPoints ? " fine" : "");
        body_ += "<path class=\"line" + kind + "\" d=\"" + line_path(stretch) + "\"/>\n";
        if (s.points.size() > kMostMarkedPoints) continue;
        for (const ChartPoint& p : stretch) {
          body_ += "<circle class=\"mark\" cx=\"" + pixel_text(p.x) + "\" cy=\"" + pixel_text(p.y) +
                   "\" r=\"4\"/>\n";
        }
      }
      body_ += "</g>\n";
    }
  }

  /// Names stand right of the plot, each as near to its line's end as the others allow.
  void names() {
    struct Name {
      std::size_t series;
      ChartPoint end;
      double y;
    };
    std::vector<Name> names;
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      const auto all = stretches(chart_.series[i].points);
      if (!all.empty()) names.push_back({i, all.back().back(), all.back().back().y});
    }
    std::stable_sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.y < b.y; });
    double free_from = plot_top_;
    for (Name& n : names) {
      n.y = std::max(n.y, free_from);
      free_from = n.y + kLabelGap;
    }
    double free_to = std::max(plot_bottom_, plot_top_ + kLabelGap * static_cast<double>(names.size() - 1));
    for (auto n = names.rbegin(); n != names.rend(); ++n) {
      n->y = std::min(n->y, free_to);
      free_to = n->y - kLabelGap;
    }
    for (const Name& n : names) {
      const ChartSeries& s = chart_.series[n.series];
      const double x = plot_right_ + 22;
      body_ += "<g class=\"" + color(n.series, s) + "\">\n";
      if (n.end.x > plot_right_ - 2) {
        body_ += line(n.end.x + 6, n.end.y, x - 3, n.y, "lead");
      }
      body_ += line(x, n.y, x + kSwatch, n.y, s.dashed ? "line dashed" : "line");
      body_ += text_at(x + kSwatch + 6, n.y + 4, "class=\"name\"", shortened(s.name, kLongestName));
      body_ += "</g>\n";
    }
  }

  const Chart& chart_;
  std::string body_;
  std::optional<ChartAxis> x_, y_;
  double plot_left_ = 0, plot_right_ = 0, plot_top_ = 0, plot_bottom_ = 0;
};

}  // namespace

std::string to_svg(const Chart& chart) {
  return to_svg(std::vector{chart});
}

std::string to_svg(const std::vector<Chart>& charts) {
  double height = 0;
  std::string body;
  for (const Chart& chart : charts) {
    const Drawing drawing(chart);
    body += "<g transform=\"translate(0 " + pixel_text(height) + ")\">\n" + drawing.body() + "</g>\n";
    height += drawing.height();
  }
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + pixel_text(kWidth) + " " +
         pixel_text(height) + "\" width=\"" + pixel_text(kWidth) + "\" height=\"" + pixel_text(height) +
         "\" role=\"img\">\n<title>" + xml_text(charts.empty() ? "" : charts.front().title) + "</title>\n" +
         std::string(kStyle) + "<rect class=\"page\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n" + body +
         "</svg>\n";
}

}  // namespace cosformer::io
