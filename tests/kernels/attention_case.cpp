#include "kernels/attention_case.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <sstream>

#include "kernels/reference/definition.h"

namespace cosformer::test {

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
  memory_.assign(static_cast<size_t>(B * batch_ + offset_ + 1), std::numeric_limits<T>::quiet_NaN());
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
T& Tensor<T>::at(int64_t b, int64_t t, int64_t h, int64_t c) {
  return memory_[static_cast<size_t>(offset_ + b * batch_ + t * time_ + h * head_ + c)];
}
template <class T>
T Tensor<T>::at(int64_t b, int64_t t, int64_t h, int64_t c) const {
  return memory_[static_cast<size_t>(offset_ + b * batch_ + t * time_ + h * head_ + c)];
}
template <class T>
std::vector<T> Tensor<T>::values() const {
  std::vector<T> out;
  for (int64_t b = 0; b < B_; ++b)
    for (int64_t t = 0; t < T_; ++t)
      for (int64_t h = 0; h < H_; ++h)
        for (int64_t c = 0; c < C_; ++c) out.push_back(at(b, t, h, c));
  return out;
}
template class Tensor<float>;
template class Tensor<double>;

std::string Case::describe() const {
  std::ostringstream out;
  out << "B=" << shape.B << " Tq=" << shape.Tq << " Tk=" << shape.Tk << " H=" << shape.H << " K=" << shape.K
      << " V=" << shape.V << " horizon=" << (options.horizon ? std::to_string(*options.horizon) : "none")
      << (options.causal ? " causal" : "")
      << (options.feature_map == FeatureMap::relu ? " relu" : " identity")
      << " layout=" << static_cast<int>(layout) << (states ? " states" : "") << " position=" << position
      << " seed=" << seed;
  return out.str();
}

template <class T>
Inputs<T>::Inputs(const Case& c) {
  const auto& s = c.shape;
  std::mt19937_64 engine(c.seed);
  // Own map from bits to numbers: the standard's distributions differ between libraries.
  const auto uniform = [&] { return static_cast<float>(static_cast<double>(engine() >> 40) / (1 << 24)); };
  const auto signed_uniform = [&] { return static_cast<T>(2 * uniform() - 1); };
  const auto feature = [&]() -> T {
    return c.options.feature_map == FeatureMap::relu ? signed_uniform() : static_cast<T>(uniform());
  };
  query = Tensor<T>(s.B, s.Tq, s.H, s.K, c.layout);
  key = Tensor<T>(s.B, s.Tk, s.G, s.K, c.layout);
  value = Tensor<T>(s.B, s.Tk, s.G, s.V, c.layout);
  d_output = Tensor<T>(s.B, s.Tq, s.H, s.V, c.layout);
  query.fill(feature);
  key.fill(feature);
  value.fill(signed_uniform);
  d_output.fill(signed_uniform);
  if (!c.states) return;
  position.assign(static_cast<size_t>(s.B), c.position);
  const auto z_size = static_cast<size_t>(s.B * s.G * c.options.states() * s.K);
  // A state as some earlier tokens would leave it where all angles are small: non-negative z.
  for (size_t i = 0; i < z_size; ++i) z.push_back(static_cast<T>(uniform()));
  for (size_t i = 0; i < z_size * static_cast<size_t>(s.V); ++i) S.push_back(signed_uniform());
  for (size_t i = 0; i < z_size; ++i) dz_out.push_back(signed_uniform());
  for (size_t i = 0; i < z_size * static_cast<size_t>(s.V); ++i) dS_out.push_back(signed_uniform());
}
template struct Inputs<float>;
template struct Inputs<double>;

namespace {

template <class T>
std::vector<double> doubles(const std::vector<T>& v) {
  return {v.begin(), v.end()};
}

template <class T, class Forward, class Backward>
Results run(const Case& c, const Inputs<T>& in, Forward&& forward, Backward&& backward) {
  const auto& s = c.shape;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  Tensor<T> output(s.B, s.Tq, s.H, s.V, c.layout);
  std::vector<T> denominator(static_cast<size_t>(s.B * s.Tq * s.H), nan);
  std::vector<T> S_out(in.S.size(), nan), z_out(in.z.size(), nan), dS(in.S.size(), nan), dz(in.z.size(), nan);
  AttentionForward<T> f{.shape = s,
                        .options = c.options,
                        .query = in.query.view(),
                        .key = in.key.view(),
                        .value = in.value.view(),
                        .output = output.view(),
                        .denominator = denominator.data()};
  if (c.states) {
    f.position = in.position.data();
    f.S = in.S.data();
    f.z = in.z.data();
    f.S_out = S_out.data();
    f.z_out = z_out.data();
  }
  forward(f);
  Tensor<T> d_query(s.B, s.Tq, s.H, s.K, c.layout), d_key(s.B, s.Tk, s.G, s.K, c.layout),
      d_value(s.B, s.Tk, s.G, s.V, c.layout);
  AttentionBackward<T> b{.shape = s,
                         .options = c.options,
                         .query = in.query.view(),
                         .key = in.key.view(),
                         .value = in.value.view(),
                         .output = std::as_const(output).view(),
                         .denominator = denominator.data(),
                         .d_output = in.d_output.view()};
  b.d_query = d_query.view();
  b.d_key = d_key.view();
  b.d_value = d_value.view();
  if (c.states) {
    b.position = in.position.data();
    b.S = in.S.data();
    b.z = in.z.data();
    b.dS_out = in.dS_out.data();
    b.dz_out = in.dz_out.data();
    b.dS = dS.data();
    b.dz = dz.data();
  }
  backward(b);
  return {doubles(output.values()),
          doubles(denominator),
          doubles(S_out),
          doubles(z_out),
          doubles(d_query.values()),
          doubles(d_key.values()),
          doubles(d_value.values()),
          doubles(dS),
          doubles(dz)};
}

}  // namespace

Results run_reference(const Case& c, const Inputs<double>& inputs) {
  return run(
      c, inputs, [](const auto& a) { reference::attention_forward(a); },
      [](const auto& a) { reference::attention_backward(a); });
}
Results run_reference(const Case& c) {
  return run_reference(c, Inputs<double>(c));
}

Results run_float(const Case& c, const Inputs<float>& inputs, const Execution& execution) {
  return run(
      c, inputs, [&](const auto& a) { attention_forward(a, execution); },
      [&](const auto& a) {
        Execution backward = execution;
        if (backward.form == Form::recurrent) backward.form = Form::automatic;
        attention_backward(a, backward);
      });
}
Results run_float(const Case& c, const Execution& execution) {
  return run_float(c, Inputs<float>(c), execution);
}

Results run_plain_float(const Case& c, const Inputs<float>& inputs) {
  return run(
      c, inputs, [](const auto& a) { reference::definition::forward(a); },
      [](const auto& a) { reference::definition::backward(a); });
}

Difference difference(const std::vector<double>& a, const std::vector<double>& b) {
  Difference d;
  for (size_t i = 0; i < a.size(); ++i) {
    double error = std::abs(a[i] - b[i]);
    if (std::isnan(a[i]) != std::isnan(b[i])) error = std::numeric_limits<double>::infinity();
    if (std::isnan(a[i]) && std::isnan(b[i])) error = 0;
    if (error > d.error) {
      d.error = error;
      d.index = i;
    }
    if (!std::isnan(b[i])) d.magnitude = std::max(d.magnitude, std::abs(b[i]));
  }
  return d;
}

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

Results rounding_scale(const Case& c, const Inputs<double>& in, const Results& exact) {
  const auto& s = c.shape;
  const int64_t N = c.options.states();
  const auto phi = [&](double x) { return c.options.feature_map == FeatureMap::relu ? std::max(x, 0.0) : x; };
  const auto zeros = [](const std::vector<double>& like) { return std::vector<double>(like.size(), 0.0); };
  Results scale{zeros(exact.output),  zeros(exact.denominator), zeros(exact.S),
                zeros(exact.z),       zeros(exact.d_query),     zeros(exact.d_key),
                zeros(exact.d_value), zeros(exact.dS),          zeros(exact.dz)};
  const auto flat = [](int64_t length, int64_t heads, int64_t width, int64_t b, int64_t t, int64_t h,
                       int64_t x) { return static_cast<size_t>(((b * length + t) * heads + h) * width + x); };
  for (int64_t b = 0; b < s.B; ++b) {
    for (int64_t h = 0; h < s.H; ++h) {
      const auto state = static_cast<size_t>((b * s.H + h) * N * s.K);
      for (int64_t i = 0; i < s.Tq; ++i) {
        // A state counts as one more key for each of its rows.
        const int64_t keys = c.options.causal ? i + 1 : s.Tk;
        const size_t row = flat(s.Tq, s.H, 1, b, i, h, 0);
        std::vector<double> weights, state_weights;
        for (int64_t j = 0; j < keys; ++j) {
          double w = 0;
          for (int64_t k = 0; k < s.K; ++k) w += phi(in.query.at(b, i, h, k)) * phi(in.key.at(b, j, h, k));
          weights.push_back(w);
          scale.denominator[row] += w;
        }
        for (int64_t n = 0; !in.S.empty() && n < N; ++n) {
          for (int64_t k = 0; k < s.K; ++k) {
            state_weights.push_back(phi(in.query.at(b, i, h, k)));
            scale.denominator[row] += state_weights.back() * std::abs(in.z[state + state_weights.size() - 1]);
          }
        }
        const double clamp = std::max(exact.denominator[row], static_cast<double>(c.options.eps));
        const double amplify = 1 + scale.denominator[row] / clamp;
        double g_o = 0;
        for (int64_t v = 0; v < s.V; ++v) {
          const size_t o = flat(s.Tq, s.H, s.V, b, i, h, v);
          double& out = scale.output[o];
          for (int64_t j = 0; j < keys; ++j) out += weights[j] * std::abs(in.value.at(b, j, h, v));
          for (size_t x = 0; x < state_weights.size(); ++x) {
            out += state_weights[x] *
                   std::abs(in.S[(state + x) * static_cast<size_t>(s.V) + static_cast<size_t>(v)]);
          }
          out = out / clamp + std::abs(exact.output[o]) * amplify;
          const double g = std::abs(in.d_output.at(b, i, h, v)) / clamp * amplify;
          g_o += g * (out + std::abs(exact.output[o]));
          for (int64_t j = 0; j < keys; ++j)
            scale.d_value[flat(s.Tk, s.H, s.V, b, j, h, v)] += weights[j] * g;
          for (size_t x = 0; x < state_weights.size(); ++x) {
            scale.dS[(state + x) * static_cast<size_t>(s.V) + static_cast<size_t>(v)] += state_weights[x] * g;
          }
        }
        for (size_t x = 0; x < state_weights.size(); ++x) scale.dz[state + x] += state_weights[x] * g_o;
        for (int64_t j = 0; j < keys; ++j) {
          double e = g_o;
          for (int64_t v = 0; v < s.V; ++v) {
            e += std::abs(in.d_output.at(b, i, h, v)) / clamp * amplify * std::abs(in.value.at(b, j, h, v));
          }
          for (int64_t k = 0; k < s.K; ++k) {
            scale.d_query[flat(s.Tq, s.H, s.K, b, i, h, k)] += e * phi(in.key.at(b, j, h, k));
            scale.d_key[flat(s.Tk, s.H, s.K, b, j, h, k)] += e * phi(in.query.at(b, i, h, k));
          }
        }
        for (size_t x = 0; x < state_weights.size(); ++x) {
          double e = g_o * std::abs(in.z[state + x]);
          for (int64_t v = 0; v < s.V; ++v) {
            e += std::abs(in.d_output.at(b, i, h, v)) / clamp * amplify *
                 std::abs(in.S[(state + x) * static_cast<size_t>(s.V) + static_cast<size_t>(v)]);
          }
          scale.d_query[flat(s.Tq, s.H, s.K, b, i, h, static_cast<int64_t>(x) % s.K)] += e;
        }
      }
      for (size_t x = 0; !in.S.empty() && x < static_cast<size_t>(N * s.K); ++x) {
        const auto k = static_cast<int64_t>(x) % s.K;
        scale.z[state + x] += std::abs(in.z[state + x]);
        scale.dz[state + x] += std::abs(in.dz_out[state + x]);
        for (int64_t j = 0; j < s.Tk; ++j) {
          const double feature = phi(in.key.at(b, j, h, k));
          scale.z[state + x] += feature;
          double e = std::abs(in.dz_out[state + x]);
          for (int64_t v = 0; v < s.V; ++v) {
            const size_t at = (state + x) * static_cast<size_t>(s.V) + static_cast<size_t>(v);
            scale.S[at] += feature * std::abs(in.value.at(b, j, h, v));
            scale.d_value[flat(s.Tk, s.H, s.V, b, j, h, v)] += feature * std::abs(in.dS_out[at]);
            e += std::abs(in.dS_out[at]) * std::abs(in.value.at(b, j, h, v));
          }
          scale.d_key[flat(s.Tk, s.H, s.K, b, j, h, k)] += e;
        }
        for (int64_t v = 0; v < s.V; ++v) {
          const size_t at = (state + x) * static_cast<size_t>(s.V) + static_cast<size_t>(v);
          scale.S[at] += std::abs(in.S[at]);
          scale.dS[at] += std::abs(in.dS_out[at]);
        }
      }
    }
  }
  return scale;
}

double allowed_units(const Case& c) {
  return std::max(8.0, 0.5 * std::sqrt(static_cast<double>(std::max(c.shape.Tq, c.shape.Tk))));
}

void expect_close(const Results& actual, const Results& expected, const Results& scale, const Case& c,
                  const std::string& what) {
  for (const auto& [name, member] : result_members()) {
    const auto& a = actual.*member;
    const auto& b = expected.*member;
    const auto& bound = scale.*member;
    ASSERT_EQ(a.size(), b.size()) << name;
    size_t worst = 0;
    double excess = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      const double units = std::abs(a[i] - b[i]) / (kEpsilon * std::max(bound[i], 1e-30));
      if (!(units <= excess)) {
        excess = units;
        worst = i;
      }
    }
    EXPECT_LE(excess, allowed_units(c))
        << what << " " << c.describe() << ": " << name << " differs most at " << worst << ": got " << a[worst]
        << ", expected " << b[worst] << ", scale " << bound[worst];
    record_units(name, excess);
  }
}

void record_units(const std::string& name, double units) {
  static std::map<std::string, double> worst;
  if (units <= worst[name]) return;
  worst[name] = units;
  testing::Test::RecordProperty("units_" + name, std::to_string(units));
}

void expect_same_bits(const Results& actual, const Results& expected, const std::string& what) {
  for (const auto& [name, member] : result_members()) {
    const auto& a = actual.*member;
    const auto& b = expected.*member;
    ASSERT_EQ(a.size(), b.size()) << name;
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_TRUE(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])))
          << what << ": " << name << " at " << i << ": " << a[i] << " and " << b[i];
    }
  }
}

}  // namespace cosformer::test
