#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cosformer/attention.h"

namespace cosformer::test {

/// A dense tensor [B, T, heads, width] in one of several memory layouts.
enum class Layout {
  contiguous,  ///< [B, T, heads, width]
  transposed,  ///< [B, heads, T, width]
  misaligned,  ///< contiguous rows at odd strides from an odd address, guarded by NaN
};

template <class T>
class Tensor {
 public:
  Tensor() = default;
  Tensor(int64_t B, int64_t length, int64_t heads, int64_t width, Layout layout = Layout::contiguous);

  View<T> view();
  View<const T> view() const;
  T& at(int64_t b, int64_t t, int64_t h, int64_t c);
  T at(int64_t b, int64_t t, int64_t h, int64_t c) const;
  /// Every element in the order [B, T, heads, width].
  std::vector<T> values() const;
  template <class F>
  void fill(F&& make) {
    for (int64_t b = 0; b < B_; ++b)
      for (int64_t t = 0; t < T_; ++t)
        for (int64_t h = 0; h < H_; ++h)
          for (int64_t c = 0; c < C_; ++c) at(b, t, h, c) = make();
  }

 private:
  int64_t B_ = 0, T_ = 0, H_ = 0, C_ = 0, offset_ = 0;
  int64_t batch_ = 0, time_ = 0, head_ = 0;
  std::vector<T> memory_;
};

/// Inputs of one attention call, forward and backward, with states where wanted.
struct Case {
  AttentionShape shape{.B = 1, .Tq = 8, .Tk = 8, .H = 1, .G = 1, .K = 4, .V = 4};
  AttentionOptions options;
  Layout layout = Layout::contiguous;
  bool states = false;   ///< starts from a state, wants the last one, and has a gradient for it
  int64_t position = 0;  ///< of the first row, where states are used
  uint64_t seed = 1;

  std::string describe() const;
};

/// Everything that a forward and backward pass gives, flattened.
struct Results {
  std::vector<double> output, denominator, S, z, d_query, d_key, d_value, dS, dz;
};

/// The case's inputs: uniform numbers from its seed, the same in float and double (they are floats).
template <class T>
struct Inputs {
  Tensor<T> query, key, value, d_output;
  std::vector<T> S, z, dS_out, dz_out;
  std::vector<int64_t> position;
  explicit Inputs(const Case& c);
};

Results run_reference(const Case& c);
Results run_reference(const Case& c, const Inputs<double>& inputs);
/// Outputs are filled with NaN first, so that whatever a kernel leaves unwritten shows.
Results run_float(const Case& c, const Execution& execution);
Results run_float(const Case& c, const Inputs<float>& inputs, const Execution& execution);
/// The quadratic definition evaluated in float with plain loops: the yardstick of rounding errors.
Results run_plain_float(const Case& c, const Inputs<float>& inputs);

/// Largest |a - b| and largest |b|; NaN counts as infinite unless both are.
struct Difference {
  double error = 0, magnitude = 0;
  size_t index = 0;
};
Difference difference(const std::vector<double>& a, const std::vector<double>& b);

inline constexpr double kEpsilon = 1.1920928955078125e-7;  // of float

/// The results by name, for loops over all of them.
std::vector<std::pair<const char*, std::vector<double> Results::*>> result_members();

/// What each result's rounding errors are measured against: the sum of the absolute values of all terms that
/// make it, weights without their cosine (whose two halves cancel), denominators with their amplification
/// (docs/numerics.md).
Results rounding_scale(const Case& c, const Inputs<double>& inputs, const Results& exact);

/// Expects |actual - expected| <= allowed_units(c) epsilon scale for every element; says where and how far it
/// is not.
void expect_close(const Results& actual, const Results& expected, const Results& scale, const Case& c,
                  const std::string& what);
/// A sum of n terms errs by at most n epsilon of its scale, typically by less than sqrt(n): 8 up to 256
/// terms, then sqrt(n) / 2.
double allowed_units(const Case& c);
/// Keeps the largest error of a result seen by this program, as a test property.
void record_units(const std::string& name, double units);
void expect_same_bits(const Results& actual, const Results& expected, const std::string& what);

}  // namespace cosformer::test
