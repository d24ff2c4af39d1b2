#include "kernels/attention_case.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <sstream>

#include "kernels/reference/definition.h"
#include "kernels/under_test.h"

namespace cosformer::test {
namespace {

double to_double(double x) {
  return x;
}
double to_double(float x) {
  return static_cast<double>(x);
}
double to_double(bfloat16 x) {
  return static_cast<double>(static_cast<float>(x));
}
double to_double(float16 x) {
  return static_cast<double>(static_cast<float>(x));
}

template <class T>
T nan() {
  return T(std::numeric_limits<float>::quiet_NaN());
}

}  // namespace

template <class T>
Tensor<T>::Tensor(int64_t B, int64_t length, int64_t heads, int64_t width, Layout layout)
    : B_(B), T_(length), H_(heads), C_(width) {
  int64_t row = width;
  if (layout == Layout::misaligned) {
    row = width + 3;
    offset_ = 1;
  }
  head_ = layout == Layout::transposed ? length * row : row;
  time_ = layout == Layout::transposed ? row : heads * row;
  batch_ = length * heads * row;
  memory_.assign(static_cast<size_t>(B * batch_ + offset_ + 1), nan<T>());
}

template <class T>
View<T> Tensor<T>::view() {
  return {memory_.data() + offset_, batch_, time_, head_};
}
template <class T>
View<const T> Tensor<T>::view() const {
  return {memory_.data() + offset_, batch_, time_, head_};
}
template <class T>
size_t Tensor<T>::offset(int64_t b, int64_t t, int64_t h, int64_t c) const {
  return static_cast<size_t>(offset_ + b * batch_ + t * time_ + h * head_ + c);
}
template <class T>
T& Tensor<T>::at(int64_t b, int64_t t, int64_t h, int64_t c) {
  return memory_[offset(b, t, h, c)];
}
template <class T>
T Tensor<T>::at(int64_t b, int64_t t, int64_t h, int64_t c) const {
  return memory_[offset(b, t, h, c)];
}
template <class T>
std::vector<double> Tensor<T>::values() const {
  std::vector<double> out;
  for (int64_t b = 0; b < B_; ++b)
    for (int64_t t = 0; t < T_; ++t)
      for (int64_t h = 0; h < H_; ++h)
        for (int64_t c = 0; c < C_; ++c) out.push_back(to_double(at(b, t, h, c)));
  return out;
}
template <class T>
bool Tensor<T>::guards_hold() const {
  std::vector<bool> element(memory_.size());
  for (int64_t b = 0; b < B_; ++b)
    for (int64_t t = 0; t < T_; ++t)
      for (int64_t h = 0; h < H_; ++h)
        for (int64_t c = 0; c < C_; ++c) element[offset(b, t, h, c)] = true;
  const T guard = nan<T>();
  for (size_t i = 0; i < memory_.size(); ++i) {
    if (!element[i] && std::memcmp(&memory_[i], &guard, sizeof guard) != 0) return false;
  }
  return true;
}
template class Tensor<float>;
template class Tensor<double>;
template class Tensor<bfloat16>;
template class Tensor<float16>;

std::string Case::describe() const {
  std::ostringstream out;
  out << "{.shape = {.B = " << shape.B << ", .Tq = " << shape.Tq << ", .Tk = " << shape.Tk
      << ", .H = " << shape.H << ", .G = " << shape.G << ", .K = " << shape.K << ", .V = " << shape.V
      << "}, horizon " << (options.horizon ? std::to_string(*options.horizon) : "none")
      << (options.causal ? ", causal" : "")
      << (options.feature_map == FeatureMap::relu ? ", relu" : ", identity")
      << (options.normalize ? "" : ", not normalised") << ", eps " << options.eps << ", layout "
      << static_cast<int>(layout) << ", padding " << static_cast<int>(padding) << (states ? ", states" : "")
      << (decay ? ", decay" : "") << ", position " << position << ", values " << static_cast<int>(values)
      << ", seed " << seed << "}";
  return out.str();
}

Rows TestRows::rows() const {
  Rows rows;
  if (!padding.empty()) rows = {reinterpret_cast<const bool*>(padding.data()), T, 1, nullptr};
  if (!cu_seqlens.empty()) rows.cu_seqlens = cu_seqlens.data();
  return rows;
}

namespace {

/// How many tokens each sequence has: from none to all of T, the first sequence all.
std::vector<int64_t> draw_counts(int64_t B, int64_t T, std::mt19937_64& engine) {
  std::vector<int64_t> counts;
  for (int64_t b = 0; b < B; ++b) {
    counts.push_back(b == 0 ? T : static_cast<int64_t>(engine() % static_cast<uint64_t>(T + 1)));
  }
  return counts;
}

TestRows make_rows(Padding padding, int64_t B, int64_t T, std::mt19937_64& engine) {
  TestRows rows;
  rows.T = T;
  if (padding == Padding::none || B == 0) return rows;
  const std::vector<int64_t> counts = draw_counts(B, T, engine);
  if (padding == Padding::packed) {
    rows.cu_seqlens.push_back(0);
    for (const int64_t count : counts) rows.cu_seqlens.push_back(rows.cu_seqlens.back() + count);
    rows.T = rows.cu_seqlens.back();
    return rows;
  }
  for (const int64_t count : counts) {
    for (int64_t t = 0; t < T; ++t) {
      const bool padded = padding == Padding::left    ? t < T - count
                          : padding == Padding::right ? t >= count
                                                      : engine() % 3 == 0;
      rows.padding.push_back(padded ? 1 : 0);
    }
  }
  if (rows.padding.empty()) rows.padding.reserve(1);
  return rows;
}

template <class T>
void poison_padding(Tensor<T>& tensor, const TestRows& rows, int64_t heads, int64_t width) {
  for (size_t i = 0; i < rows.padding.size(); ++i) {
    if (rows.padding[i] == 0) continue;
    const auto row = static_cast<int64_t>(i);
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t c = 0; c < width; ++c) tensor.at(row / rows.T, row % rows.T, h, c) = nan<T>();
  }
}

/// Draws numbers of a kind. An own map from bits: the standard's distributions differ between libraries.
class Numbers {
 public:
  Numbers(Values kind, int exponent, std::mt19937_64& engine)
      : kind_(kind), exponent_(exponent), engine_(engine) {}

  bool extreme() const { return kind_ != Values::uniform && kind_ != Values::ties; }

  void begin_tensor() {
    if (kind_ != Values::denormals) return;
    denormal_one_in_ = 1 + below(3);
    normal_exponent_ = below(2) == 0 ? 0 : exponent_;
  }
  float not_negative() { return kind_ == Values::ties ? static_cast<float>(below(3)) : size(); }
  float of_any_sign() {
    if (kind_ == Values::ties) return not_negative() - 1;
    if (kind_ == Values::uniform) return 2 * size() - 1;
    return below(2) == 0 ? size() : -size();
  }

 private:
  int below(int n) { return static_cast<int>(engine_() % static_cast<uint64_t>(n)); }
  float fraction() { return static_cast<float>(static_cast<double>(engine_() >> 40) / (1 << 24)); }
  float size() {
    constexpr int kLeast = -126, kFraction = 23;  // of a float's exponent; bits below it
    if (kind_ == Values::denormals) {
      const bool denormal = below(denormal_one_in_) == 0;
      return std::ldexp(fraction(), denormal ? kLeast - below(kFraction) : normal_exponent_);
    }
    if (kind_ == Values::large) return std::ldexp(fraction(), exponent_);
    if (kind_ == Values::mixed) {
      return below(16) == 0 ? 0 : std::ldexp(1 - fraction() / 2, below(2 * exponent_ + 1) - exponent_);
    }
    return fraction();
  }

  Values kind_;
  int exponent_;  ///< of the largest
  std::mt19937_64& engine_;
  int denormal_one_in_ = 1, normal_exponent_ = 0;
};

/// Of numbers whose products of three, summed over all tokens, heads of a group and columns, and over the
/// terms that the kernels add to them, are finite floats.
int largest_exponent(const AttentionShape& s) {
  constexpr int kFinite = 127, kRoom = 5;
  const int64_t terms = (std::max(s.Tq, s.Tk) + 1) * (s.G > 0 ? s.H / s.G : 1) * (std::max(s.K, s.V) + 1);
  return (kFinite - kRoom - static_cast<int>(std::bit_width(static_cast<uint64_t>(terms)))) / 3;
}

}  // namespace

template <class T>
Inputs<T>::Inputs(const Case& c, bool rounded_to_bfloat16) : shape(c.shape) {
  std::mt19937_64 engine(c.seed);
  query_rows = make_rows(c.padding, shape.B, shape.Tq, engine);
  key_rows = c.options.causal ? query_rows : make_rows(c.padding, shape.B, shape.Tk, engine);
  shape.Tq = query_rows.T;
  shape.Tk = key_rows.T;
  const int64_t B = query_rows.cu_seqlens.empty() ? shape.B : 1;
  Numbers numbers(c.values, largest_exponent(shape), engine);
  const auto stored = [&](float x) { return rounded_to_bfloat16 ? static_cast<float>(bfloat16(x)) : x; };
  const auto of_any_sign = [&] { return stored(numbers.of_any_sign()); };
  const auto feature = [&] {
    return c.options.feature_map == FeatureMap::relu ? of_any_sign() : stored(numbers.not_negative());
  };
  // Divided by max(den, eps) it is no larger than the other numbers.
  const bool grows = numbers.extreme() && c.options.normalize && c.options.eps < 1;
  const float smaller = grows ? 0x1p-20F : 1.0F;
  query = Tensor<T>(B, shape.Tq, shape.H, shape.K, c.layout);
  key = Tensor<T>(B, shape.Tk, shape.G, shape.K, c.layout);
  value = Tensor<T>(B, shape.Tk, shape.G, shape.V, c.layout);
  d_output = Tensor<T>(B, shape.Tq, shape.H, shape.V, c.layout);
  const auto fill = [&](auto& tensor, const auto& make) {
    numbers.begin_tensor();
    tensor.fill(make);
  };
  fill(query, feature);
  fill(key, feature);
  fill(value, of_any_sign);
  fill(d_output, [&] { return stored(of_any_sign() * smaller); });
  poison_padding(query, query_rows, shape.H, shape.K);
  poison_padding(key, key_rows, shape.G, shape.K);
  poison_padding(value, key_rows, shape.G, shape.V);
  poison_padding(d_output, query_rows, shape.H, shape.V);
  for (int64_t g = 0; c.decay && g < shape.G; ++g) decay.push_back(0.3F * static_cast<float>(g) + 0.01F);
  if (!c.states) return;
  for (int64_t b = 0; b < shape.B; ++b) position.push_back(c.position + b);
  const auto z_size = static_cast<size_t>(shape.B * shape.G * c.options.states() * shape.K);
  const auto draw = [&](auto& state, size_t size, const auto& make) {
    numbers.begin_tensor();
    for (size_t i = 0; i < size; ++i) state.push_back(static_cast<State<T>>(make()));
  };
  // A state as some earlier tokens would leave it where all angles are small: non-negative z, and S no more
  // than a value times it.
  draw(z, z_size, [&] { return numbers.not_negative(); });
  draw(S, z_size * static_cast<size_t>(shape.V), [&] {
    const float weight =
        numbers.extreme() ? static_cast<float>(z[S.size() / static_cast<size_t>(shape.V)]) : 1;
    return of_any_sign() * weight;
  });
  draw(dz_out, z_size, of_any_sign);
  draw(dS_out, z_size * static_cast<size_t>(shape.V), of_any_sign);
}
template struct Inputs<float>;
template struct Inputs<double>;
template struct Inputs<bfloat16>;
template struct Inputs<float16>;

namespace {

template <class T>
std::vector<double> doubles(const std::vector<T>& v) {
  return {v.begin(), v.end()};
}

template <class T>
const T* or_null(const std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}

/// An output vector that holds NaN, with one element more so that it is never null.
template <class T>
std::vector<T> poisoned(size_t size) {
  return std::vector<T>(size + 1, std::numeric_limits<T>::quiet_NaN());
}

}  // namespace

template <class T>
Results run(const Case& c, const Inputs<T>& in, const Forward<T>& forward, const Backward<T>& backward) {
  const auto& s = in.shape;
  const int64_t B = in.query_rows.cu_seqlens.empty() ? s.B : 1;
  Tensor<T> output(B, s.Tq, s.H, s.V, c.layout);
  auto denominator = poisoned<State<T>>(static_cast<size_t>(B * s.Tq * s.H));
  auto S_out = poisoned<State<T>>(in.S.size()), z_out = poisoned<State<T>>(in.z.size());
  auto dS = poisoned<State<T>>(in.S.size()), dz = poisoned<State<T>>(in.z.size());
  AttentionForward<T> f{.shape = s,
                        .options = c.options,
                        .query_rows = in.query_rows.rows(),
                        .key_rows = in.key_rows.rows(),
                        .decay = or_null(in.decay),
                        .query = in.query.view(),
                        .key = in.key.view(),
                        .value = in.value.view(),
                        .output = output.view(),
                        .denominator = denominator.data()};
  const State<T> nothing = 0;
  const auto state = [&](const auto& v) { return v.empty() ? &nothing : v.data(); };
  if (c.states) {
    f.position = in.position.data();
    f.S = state(in.S);
    f.z = state(in.z);
    f.S_out = S_out.data();
    f.z_out = z_out.data();
  }
  forward(f);
  Tensor<T> d_query(B, s.Tq, s.H, s.K, c.layout), d_key(B, s.Tk, s.G, s.K, c.layout),
      d_value(B, s.Tk, s.G, s.V, c.layout);
  AttentionBackward<T> b{.shape = s,
                         .options = c.options,
                         .query_rows = f.query_rows,
                         .key_rows = f.key_rows,
                         .decay = f.decay,
                         .query = f.query,
                         .key = f.key,
                         .value = f.value,
                         .output = std::as_const(output).view(),
                         .denominator = denominator.data(),
                         .d_output = in.d_output.view(),
                         .position = f.position,
                         .S = f.S,
                         .z = f.z};
  b.d_query = d_query.view();
  b.d_key = d_key.view();
  b.d_value = d_value.view();
  if (c.states) {
    b.dS_out = state(in.dS_out);
    b.dz_out = state(in.dz_out);
    b.dS = dS.data();
    b.dz = dz.data();
  }
  backward(b);
  for (auto* v : {&denominator, &S_out, &z_out, &dS, &dz}) v->pop_back();
  if (!c.options.normalize) std::fill(denominator.begin(), denominator.end(), State<T>(0));
  // Denominators of padded rows are whatever they are.
  for (size_t row = 0; row < in.query_rows.padding.size(); ++row) {
    for (int64_t h = 0; in.query_rows.padding[row] != 0 && h < s.H; ++h) {
      denominator[row * static_cast<size_t>(s.H) + static_cast<size_t>(h)] = 0;
    }
  }
  Results results{output.values(), doubles(denominator), doubles(S_out), doubles(z_out), d_query.values(),
                  d_key.values(),  d_value.values(),     doubles(dS),    doubles(dz)};
  for (const auto* tensor : {&output, &d_query, &d_key, &d_value}) {
    if (!tensor->guards_hold())
      results.output.assign(results.output.size(), std::numeric_limits<double>::infinity());
  }
  return results;
}
template Results run(const Case&, const Inputs<float>&, const Forward<float>&, const Backward<float>&);
template Results run(const Case&, const Inputs<double>&, const Forward<double>&, const Backward<double>&);
template Results run(const Case&, const Inputs<bfloat16>&, const Forward<bfloat16>&,
                     const Backward<bfloat16>&);
template Results run(const Case&, const Inputs<float16>&, const Forward<float16>&, const Backward<float16>&);

Results run_reference(const Case& c, const Inputs<double>& inputs) {
  return run<double>(
      c, inputs, [](const auto& a) { reference::attention_forward(a); },
      [](const auto& a) { reference::attention_backward(a); });
}

Results run_plain(const Case& c, const Inputs<float>& inputs) {
  return run<float>(
      c, inputs, [](const auto& a) { reference::definition::forward(a); },
      [](const auto& a) { reference::definition::backward(a); });
}

template <class T>
Results run_kernels(const Case& c, const Inputs<T>& inputs, const Execution& execution) {
  return run<T>(
      c, inputs, [&](const auto& a) { under_test::attention_forward(a, execution); },
      [&](const auto& a) {
        Execution backward = execution;
        if (backward.form == Form::recurrent) backward.form = Form::automatic;
        under_test::attention_backward(a, backward);
      });
}
template Results run_kernels(const Case&, const Inputs<float>&, const Execution&);
template Results run_kernels(const Case&, const Inputs<bfloat16>&, const Execution&);

std::vector<std::pair<const char*, std::vector<double> Results::*>> result_members() {
  return {{"output", &Results::output},
          {"denominator", &Results::denominator},
          {"S", &Results::S},
          {"z", &Results::z},
          {"d_query", &Results::d_query},
          {"d_key", &Results::d_key},
          {"d_value", &Results::d_value},
          {"dS", &Results::dS},
          {"dz", &Results::dz}};
}

Units units(const std::vector<double>& actual, const std::vector<double>& expected,
            const std::vector<double>& scale) {
  Units worst;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double a = actual[i], b = expected[i];
    double of_element = std::abs(a - b) / (kEpsilon * scale[i]);
    if (a == b || (std::isnan(a) && std::isnan(b))) of_element = 0;
    if (std::isnan(of_element)) of_element = std::numeric_limits<double>::infinity();
    if (of_element > worst.most) worst = {of_element, i};
  }
  return worst;
}

Allowance allowance(const Case& c, Form form, Isa isa, bool bfloat16) {
  constexpr double kHalfUnit = 0x1p-8;  // of bfloat16
  Allowance allowance;
  if (form == Form::recurrent && c.decay) allowance.few += static_cast<double>(c.shape.Tk) / 2;
  if (bfloat16) allowance.stored = kHalfUnit;
  if (bfloat16 && isa >= Isa::avx512_bf16) {
    allowance.products = 3 * kHalfUnit;
    allowance.flushed = static_cast<double>(c.options.states());
  }
  return allowance;
}

std::string find_error(const Results& actual, const Results& expected, const Scale& scale,
                       const Results& plain, const Allowance& allowance) {
  constexpr double kTimesPlain = 1.25;
  for (const auto& [name, member] : result_members()) {
    const std::string result = name;
    const auto &a = actual.*member, &e = expected.*member, &lost = scale.lost.*member;
    std::vector<double> s = scale.terms.*member;
    for (size_t i = 0; i < s.size(); ++i) s[i] += lost[i];
    const double allowed = std::max(allowance.few, kTimesPlain * units(plain.*member, e, s).most);
    const bool is_stored = result == "output" || result.starts_with("d_");
    // Gradients that contain delta see the output as it was stored.
    const bool has_delta = result == "d_query" || result == "d_key" || result == "dz";
    const bool has_products = result != "denominator" && result != "z";
    const bool has_scores = has_products || result == "denominator";
    std::vector<double> bound = s;
    for (size_t i = 0; i < s.size(); ++i) {
      const double stored = is_stored ? std::max(std::abs(e[i]), kLeastNormal) : 0;
      const double size = allowance.stored * (stored + (has_delta ? s[i] : 0)) +
                          (has_products ? allowance.products * s[i] : 0) +
                          (has_scores ? allowance.flushed * lost[i] : 0);
      bound[i] += size / (kEpsilon * allowed);
    }
    const Units worst = units(a, e, bound);
    if (worst.most <= allowed) continue;
    std::ostringstream out;
    out << name << " differs most at " << worst.at << ": got " << a[worst.at] << ", expected " << e[worst.at]
        << ", " << worst.most << " units of its scale " << s[worst.at] << ", allowed " << allowed;
    return out.str();
  }
  return "";
}

std::string find_difference(const Results& actual, const Results& expected) {
  for (const auto& [name, member] : result_members()) {
    const auto &a = actual.*member, &b = expected.*member;
    if (a.size() != b.size()) return std::string(name) + " has another size";
    for (size_t i = 0; i < a.size(); ++i) {
      if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
      std::ostringstream out;
      out.precision(17);
      out << name << " at " << i << ": " << a[i] << " and " << b[i];
      return out.str();
    }
  }
  return "";
}

}  // namespace cosformer::test
