#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cosformer/attention.h"
#include "cosformer/float16.h"

namespace cosformer::test {

/// A tensor [B, T, heads, width] in one of several memory layouts.
enum class Layout {
  contiguous,  ///< [B, T, heads, width]
  transposed,  ///< [B, heads, T, width]
  misaligned,  ///< contiguous rows at odd strides from an odd address, guarded by NaN
};

/// Memory that begins at a cache line.
template <class T>
struct LineAllocator {
  using value_type = T;
  LineAllocator() = default;
  template <class U>
  LineAllocator(const LineAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kLine)); }
  void deallocate(T* p, size_t) { ::operator delete(p, kLine); }
  bool operator==(const LineAllocator&) const { return true; }

 private:
  static constexpr std::align_val_t kLine{64};
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
  std::vector<double> values() const;
  /// Sets every element in that order.
  template <class F>
  void fill(F&& make) {
    for (int64_t b = 0; b < B_; ++b)
      for (int64_t t = 0; t < T_; ++t)
        for (int64_t h = 0; h < H_; ++h)
          for (int64_t c = 0; c < C_; ++c) at(b, t, h, c) = static_cast<T>(make());
  }
  /// Whether memory that belongs to no element is as it was.
  bool guards_hold() const;

 private:
  size_t offset(int64_t b, int64_t t, int64_t h, int64_t c) const;

  int64_t B_ = 0, T_ = 0, H_ = 0, C_ = 0, offset_ = 0;
  int64_t batch_ = 0, time_ = 0, head_ = 0;
  std::vector<T, LineAllocator<T>> memory_;
};

/// Where padding lies in a batch.
enum class Padding { none, left, right, holes, packed };

/// What numbers the inputs are.
enum class Values {
  uniform,    ///< of (-1, 1)
  ties,       ///< small integers: zeros, dead rows, equal values
  denormals,  ///< many, in some tensors all, below the least normal float; the others to 1 or as `large`
  large,      ///< as large as leaves every product and sum of the call finite in float32
  mixed,      ///< as large as that, as small as its reciprocal, all between, and zeros
};

/// Inputs of one attention call, forward and backward.
struct Case {
  AttentionShape shape{.B = 1, .Tq = 8, .Tk = 8, .H = 1, .G = 1, .K = 4, .V = 4};
  AttentionOptions options;
  Layout layout = Layout::contiguous;
  Padding padding = Padding::none;
  bool states = false;  ///< starts from a state, wants the last one, and has a gradient for it
  bool decay = false;
  int64_t position = 0;  ///< of the first token of sequence 0; b later in sequence b
  Values values = Values::uniform;
  uint64_t seed = 1;

  std::string describe() const;
};

/// The rows that are tokens: a batch with padding, or packed sequences.
struct TestRows {
  std::vector<uint8_t> padding;     // [B][T]
  std::vector<int64_t> cu_seqlens;  // [B + 1]
  int64_t T = 0;

  Rows rows() const;
};

/// Everything that a forward and backward pass gives, flattened.
struct Results {
  std::vector<double> output, denominator, S, z, d_query, d_key, d_value, dS, dz;
};

/// The case's inputs: numbers from its seed, the same in every type (they are bfloat16 where asked for, else
/// floats). Rows that are padding hold NaN.
template <class T>
struct Inputs {
  Tensor<T> query, key, value, d_output;
  std::vector<State<T>> S, z, dS_out, dz_out;
  std::vector<int64_t> position;
  std::vector<float> decay;
  TestRows query_rows, key_rows;
  AttentionShape shape;  ///< of the call: packed, Tq and Tk are totals

  Inputs(const Case& c, bool rounded_to_bfloat16);
};

template <class T>
using Forward = std::function<void(const AttentionForward<T>&)>;
template <class T>
using Backward = std::function<void(const AttentionBackward<T>&)>;
/// What two functions make of the inputs. Outputs are filled with NaN first, so that whatever they leave
/// unwritten shows.
template <class T>
Results run(const Case& c, const Inputs<T>& inputs, const Forward<T>& forward, const Backward<T>& backward);

Results run_reference(const Case& c, const Inputs<double>& inputs);
/// The quadratic definition evaluated in float with plain loops: the yardstick of rounding errors.
Results run_plain(const Case& c, const Inputs<float>& inputs);
template <class T>
Results run_kernels(const Case& c, const Inputs<T>& inputs, const Execution& execution);

inline constexpr double kEpsilon = 1.1920928955078125e-7;  // of float

/// The results by name, for loops over all of them.
std::vector<std::pair<const char*, std::vector<double> Results::*>> result_members();

inline constexpr double kLeastNormal = 0x1p-126;  // of float and of bfloat16

/// What each result's rounding errors are measured against (docs/numerics.md).
struct Scale {
  /// The sum of the absolute values of all terms that make a result, weights without their cosine (whose two
  /// halves cancel), denominators with their amplification.
  Results terms;
  /// What is missing where each number on the way is too small by kLeastNormal.
  Results lost;
};
Scale rounding_scale(const Case& c, const Inputs<double>& inputs, const Results& exact);

/// The largest error of a result in units of epsilon times its scale, and where; what is not a number on one
/// side alone counts as infinite.
struct Units {
  double most = 0;
  size_t at = 0;
};
Units units(const std::vector<double>& actual, const std::vector<double>& expected,
            const std::vector<double>& scale);

/// What an evaluation may differ from the reference by, beyond 1.25 times what the plain evaluation in float
/// does.
struct Allowance {
  double few = 8;       ///< units of epsilon times scale, where even the plain evaluation errs by less
  double stored = 0;    ///< rounding of a stored result, relative to it
  double products = 0;  ///< roundings of the matrices that are multiplied, relative to the scale
  double flushed = 0;   ///< of numbers below the least normal one, which products take for 0
};
/// What the kernels of a set may do with inputs of a type: bfloat16 is rounded where it is stored, and by
/// kernels that multiply bfloat16 in three matrices on the way to a result. The recurrence multiplies by a
/// rounded factor a token where there is a decay.
Allowance allowance(const Case& c, Form form, Isa isa, bool bfloat16);

/// Empty, or a line that says which result of `actual` is further from `expected` than allowed.
std::string find_error(const Results& actual, const Results& expected, const Scale& scale,
                       const Results& plain, const Allowance& allowance);
/// Empty, or a line that says where bits differ.
std::string find_difference(const Results& actual, const Results& expected);

}  // namespace cosformer::test
