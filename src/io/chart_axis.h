#pragma once

#include <string>
#include <vector>

namespace cosformer::io {

/// log2 marks powers of two (lengths), log10 decades and their parts.
enum class Scale { linear, log2, log10 };

/// Whether a value has a place on the scale: finite, and positive where logarithmic.
bool drawable(Scale scale, double value);

/// A number as a reader wants it: thousands apart ("16,384"), millions as "2.5M", as many decimals as tell
/// values apart that lie `step` from each other.
std::string readable_number(double value, double step);

/// A range of values laid on a range of pixels, and the ticks that help to read it.
class ChartAxis {
 public:
  struct Tick {
    double value;
    std::string label;
  };

  /// `low` and `high` are drawable; equal ones are spread. `wanted` is about how many ticks there is room
  /// for. With `rounded` the range grows to the next tick at both ends.
  ChartAxis(Scale scale, double low, double high, int wanted, bool rounded);

  /// Sets the pixels where the range begins and ends.
  void place(double first_pixel, double last_pixel);
  double pixel(double value) const;
  const std::vector<Tick>& ticks() const { return ticks_; }
  double low() const { return low_; }
  double high() const { return high_; }

 private:
  void linear_ticks(int wanted, bool rounded);
  void log2_ticks(int wanted);
  void log10_ticks(int wanted, bool rounded);
  void mark(double value, double step) { ticks_.push_back({value, readable_number(value, step)}); }

  Scale scale_;
  double low_, high_;
  double first_pixel_ = 0, last_pixel_ = 1;
  std::vector<Tick> ticks_;
};

}  // namespace cosformer::io
