#include "io/chart_axis.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace cosformer::io {
namespace {

std::string fixed(double value, int decimals) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals);
  return end.ec == std::errc() ? std::string(text, end.ptr) : std::string("?");
}

std::string with_thousands_apart(std::string number) {
  const std::size_t first = number.front() == '-' ? 1 : 0;
  for (std::size_t at = std::min(number.find('.'), number.size()); at > first + 3;) {
    at -= 3;
    number.insert(at, 1, ',');
  }
  return number;
}

/// 1, 2 or 5 times a power of ten, so that about `wanted` steps cover `span`.
double round_step(double span, int wanted) {
  const double raw = span / std::max(1, wanted);
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

/// The next of 1, 2, 5, 10, 20, ...; its reciprocal rounds down likewise.
double round_up(double value) {
  return round_step(value, 1);
}

}  // namespace

bool drawable(Scale scale, double value) {
  return std::isfinite(value) && (scale == Scale::linear || value > 0);
}

std::string readable_number(double value, double step) {
  if (value == 0) return "0";
  double unit = 1;
  const char* suffix = "";
  const double size = std::fabs(value);
  if (size >= 1e15 || size < 1e-6) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 0);
    return std::string(text, end.ptr);
  }
  if (size >= 1e6) {
    unit = size >= 1e12 ? 1e12 : size >= 1e9 ? 1e9 : 1e6;
    suffix = size >= 1e12 ? "T" : size >= 1e9 ? "G" : "M";
  }
  const int decimals = std::clamp(static_cast<int>(-std::floor(std::log10(step / unit) + 1e-9)), 0, 7);
  return with_thousands_apart(fixed(value / unit, decimals)) + suffix;
}

ChartAxis::ChartAxis(Scale scale, double low, double high, int wanted, bool rounded)
    : scale_(scale), low_(low), high_(high) {
  if (!(high_ - low_ > 1e-9 * std::max(std::fabs(low_), std::fabs(high_)))) {
    if (scale_ == Scale::linear) {
      const double room = low_ == 0 ? 1 : std::fabs(low_) * 0.1;
      low_ -= room;
      high_ += room;
    } else {
      low_ /= 2;
      high_ *= 2;
    }
  }
  switch (scale_) {
    case Scale::linear:
      linear_ticks(wanted, rounded);
      break;
    case Scale::log2:
      log2_ticks(wanted);
      break;
    case Scale::log10:
      log10_ticks(wanted, rounded);
      break;
  }
}

void ChartAxis::place(double first_pixel, double last_pixel) {
  first_pixel_ = first_pixel;
  last_pixel_ = last_pixel;
}

double ChartAxis::pixel(double value) const {
  const double share = scale_ == Scale::linear ? (value - low_) / (high_ - low_)
                                               : std::log(value / low_) / std::log(high_ / low_);
  return first_pixel_ + share * (last_pixel_ - first_pixel_);
}

void ChartAxis::linear_ticks(int wanted, bool rounded) {
  const double step = round_step(high_ - low_, wanted);
  if (rounded) {
    low_ = std::floor(low_ / step + 1e-9) * step;
    high_ = std::ceil(high_ / step - 1e-9) * step;
  }
  const double first = std::ceil(low_ / step - 1e-9);
  const double last = std::floor(high_ / step + 1e-9);
  for (double i = first; i <= last; ++i) mark(i * step, step);
}

void ChartAxis::log2_ticks(int wanted) {
  const int first = static_cast<int>(std::ceil(std::log2(low_) - 1e-9));
  const int last = static_cast<int>(std::floor(std::log2(high_) + 1e-9));
  const int every = std::max(1, (last - first) / std::max(1, wanted) + 1);
  for (int i = first; i <= last; i += every) mark(std::ldexp(1.0, i), std::ldexp(1.0, std::min(i, 0)));
  if (ticks_.size() < 2) {
    ticks_.clear();
    linear_ticks(wanted, false);
  }
}

void ChartAxis::log10_ticks(int wanted, bool rounded) {
  const std::vector<std::vector<double>> parts = {{1, 2, 5}, {1, 3}, {1}};
  const double decades = std::log10(high_ / low_);
  const auto fits = [&](const std::vector<double>& p) {
    return decades * static_cast<double>(p.size()) <= wanted;
  };
  const auto chosen = std::find_if(parts.begin(), parts.end(), fits);
  const std::vector<double>& factors = chosen == parts.end() ? parts.back() : *chosen;
  const int every = std::max(1, static_cast<int>(std::ceil(decades / wanted)));

  const int first = static_cast<int>(std::floor(std::log10(low_) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(high_) - 1e-9));
  if (rounded) {
    const double top = round_up(high_);
    low_ = 1 / round_up(1 / low_);
    high_ = top;
  }
  std::vector<double> marks;
  for (int i = first; i <= last; i += every) {
    for (const double factor : factors) marks.push_back(factor * std::pow(10, i));
  }
  for (const double m : marks) {
    if (m >= low_ * (1 - 1e-9) && m <= high_ * (1 + 1e-9)) mark(m, std::min(m, 1.0));
  }
  if (ticks_.size() < 2) {
    ticks_.clear();
    linear_ticks(wanted, false);
  }
}

}  // namespace cosformer::io
