// How large the terms are that a result is the sum of: the reference itself, run on absolute values.

#include <cmath>

#include "kernels/attention_case.h"

namespace cosformer::test {
namespace {

/// Tensors in contiguous memory, made from values in that order.
struct Flat {
  std::vector<double> data;
  View<double> view(int64_t length, int64_t heads, int64_t width) {
    data.resize(std::max<size_t>(data.size(), 1));
    return {data.data(), length * heads * width, heads * width, width};
  }
  View<const double> view(int64_t length, int64_t heads, int64_t width) const {
    return {data.data(), length * heads * width, heads * width, width};
  }
};

double size_of(double x) {
  return std::isnan(x) ? 0 : std::abs(x);
}

/// |values| + raise, with one more column after each row of `width`.
Flat widened(const std::vector<double>& values, int64_t width, const std::vector<double>& column,
             double raise) {
  Flat flat;
  for (size_t row = 0; row < column.size(); ++row) {
    for (int64_t c = 0; c < width; ++c) {
      flat.data.push_back(size_of(values[row * static_cast<size_t>(width) + static_cast<size_t>(c)]) + raise);
    }
    flat.data.push_back(column[row]);
  }
  return flat;
}

std::vector<double> without_last_column(const std::vector<double>& values, int64_t width) {
  std::vector<double> out;
  for (size_t i = 0; i < values.size(); ++i) {
    if (static_cast<int64_t>(i) % (width + 1) != width) out.push_back(values[i]);
  }
  return out;
}

std::vector<double> last_column(const std::vector<double>& values, int64_t width) {
  std::vector<double> out;
  for (size_t i = 0; i < values.size(); ++i) {
    if (static_cast<int64_t>(i) % (width + 1) == width) out.push_back(values[i]);
  }
  return out;
}

/// A state's cosine and sine halves may both count: [B, G, N, K, V] becomes [B, G, K, V].
std::vector<double> halves_added(const std::vector<double>& state, int64_t N, int64_t rest, double raise) {
  std::vector<double> out(state.size() / static_cast<size_t>(N), raise);
  for (size_t i = 0; i < state.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    out[static_cast<size_t>(at / (N * rest) * rest + at % rest)] += size_of(state[i]);
  }
  return out;
}

std::vector<double> halves_repeated(const std::vector<double>& state, int64_t N, int64_t rest) {
  std::vector<double> out;
  for (size_t i = 0; i < state.size(); i += static_cast<size_t>(rest)) {
    for (int64_t n = 0; n < N; ++n) {
      out.insert(out.end(), state.begin() + static_cast<int64_t>(i),
                 state.begin() + static_cast<int64_t>(i) + rest);
    }
  }
  return out;
}

/// The sum of the absolute values of all terms, and of what there is more of them where every factor, also
/// each that a kernel makes on the way, is larger by `raise`. A factor that is made of several brings a term
/// for each of them, so nothing is faded then: the factor that fades is raised too.
Results sum_of_terms(const Case& c, const Inputs<double>& in, const Results& exact, double raise) {
  // The extra column of v is 1, so that of the numerator is the denominator, and its gradient delta.
  const AttentionShape& s = in.shape;
  AttentionShape wide = s;
  wide.V += 1;
  AttentionOptions options = c.options;
  options.horizon.reset();
  options.normalize = false;
  options.feature_map = FeatureMap::identity;
  const auto phi = [&](const Tensor<double>& tensor) {
    Flat flat{tensor.values()};
    for (double& x : flat.data)
      x = raise + (c.options.feature_map == FeatureMap::relu ? std::max(0.0, x) : size_of(x));
    return flat;
  };
  const int64_t B = in.query_rows.cu_seqlens.empty() ? s.B : 1, N = c.options.states();
  const Flat query = phi(in.query), key = phi(in.key);
  const std::vector<double> ones(static_cast<size_t>(B * s.Tk * s.G), 1.0);
  const Flat value = widened(in.value.values(), s.V, ones, raise);
  Flat numerator{std::vector<double>(static_cast<size_t>(B * s.Tq * s.H * wide.V))};
  AttentionForward<double> f{.shape = wide,
                             .options = options,
                             .query_rows = in.query_rows.rows(),
                             .key_rows = in.key_rows.rows(),
                             .decay = in.decay.empty() || raise > 0 ? nullptr : in.decay.data(),
                             .query = query.view(s.Tq, s.H, s.K),
                             .key = key.view(s.Tk, s.G, s.K),
                             .value = value.view(s.Tk, s.G, wide.V),
                             .output = numerator.view(s.Tq, s.H, wide.V),
                             .position = nullptr};
  const auto padded = [](std::vector<double> v) {
    v.push_back(0);
    return v;
  };
  const std::vector<double> z = halves_added(in.z, N, s.K, raise),
                            S_flat = halves_added(in.S, N, s.K * s.V, raise);
  const std::vector<double> S = padded(widened(S_flat, s.V, z, 0).data),
                            no_z = padded(std::vector<double>(z.size()));
  std::vector<double> S_out(S.size()), z_out(no_z.size());
  if (c.states) {
    f.S = S.data();
    f.z = no_z.data();
    f.S_out = S_out.data();
    f.z_out = z_out.data();
  }
  reference::attention_forward(f);
  numerator.data.resize(static_cast<size_t>(B * s.Tq * s.H * wide.V));

  Results scale;
  scale.denominator = last_column(numerator.data, s.V);
  if (c.states) {
    S_out.pop_back();
    scale.z = halves_repeated(last_column(S_out, s.V), N, s.K);
    scale.S = halves_repeated(without_last_column(S_out, s.V), N, s.K * s.V);
  }
  // g = do / den and delta = -g . o, with the errors that den and o bring along.
  std::vector<double> gradient;
  const std::vector<double> d_output = in.d_output.values();
  for (size_t row = 0; row < scale.denominator.size(); ++row) {
    const double clamp =
        c.options.normalize ? std::max(exact.denominator[row], static_cast<double>(c.options.eps)) : 1;
    const double amplify = c.options.normalize ? 1 + scale.denominator[row] / clamp : 1;
    double delta = 0;
    for (int64_t v = 0; v < s.V; ++v) {
      const size_t at = row * static_cast<size_t>(s.V) + static_cast<size_t>(v);
      const double out = numerator.data[row * static_cast<size_t>(wide.V) + static_cast<size_t>(v)] / clamp +
                         std::abs(exact.output[at]) * amplify + raise;
      const double g = size_of(d_output[at]) / clamp * amplify + raise;
      scale.output.push_back(out);
      gradient.push_back(g);
      delta += g * (out + std::abs(exact.output[at]));
    }
    gradient.push_back(c.options.normalize ? delta : 0);
  }
  gradient.resize(std::max<size_t>(gradient.size(), 1));

  Flat d_query{std::vector<double>(static_cast<size_t>(B * s.Tq * s.H * s.K))};
  Flat d_key{std::vector<double>(static_cast<size_t>(B * s.Tk * s.G * s.K))};
  Flat d_value{std::vector<double>(static_cast<size_t>(B * s.Tk * s.G * wide.V))};
  const std::vector<double> dz_out = halves_added(in.dz_out, N, s.K, raise),
                            dS_flat = halves_added(in.dS_out, N, s.K * s.V, raise);
  const std::vector<double> dS_out = padded(widened(dS_flat, s.V, dz_out, 0).data);
  std::vector<double> dS(dS_out.size()), dz(no_z.size());
  AttentionBackward<double> b{.shape = wide,
                              .options = options,
                              .query_rows = f.query_rows,
                              .key_rows = f.key_rows,
                              .decay = f.decay,
                              .query = f.query,
                              .key = f.key,
                              .value = f.value,
                              .d_output = {gradient.data(), s.Tq * s.H * wide.V, s.H * wide.V, wide.V},
                              .S = f.S,
                              .z = f.z};
  b.d_query = d_query.view(s.Tq, s.H, s.K);
  b.d_key = d_key.view(s.Tk, s.G, s.K);
  b.d_value = d_value.view(s.Tk, s.G, wide.V);
  if (c.states) {
    b.dS_out = dS_out.data();
    b.dz_out = no_z.data();
    b.dS = dS.data();
    b.dz = dz.data();
  }
  reference::attention_backward(b);
  d_query.data.resize(static_cast<size_t>(B * s.Tq * s.H * s.K));
  d_key.data.resize(static_cast<size_t>(B * s.Tk * s.G * s.K));
  d_value.data.resize(static_cast<size_t>(B * s.Tk * s.G * wide.V));
  scale.d_query = d_query.data;
  scale.d_key = d_key.data;
  scale.d_value = without_last_column(d_value.data, s.V);
  if (c.states) {
    dS.pop_back();
    scale.dS = halves_repeated(without_last_column(dS, s.V), N, s.K * s.V);
    scale.dz = halves_repeated(last_column(dS, s.V), N, s.K);
  }
  return scale;
}

}  // namespace

Scale rounding_scale(const Case& c, const Inputs<double>& in, const Results& exact) {
  Scale scale{sum_of_terms(c, in, exact, 0), sum_of_terms(c, in, exact, 1)};
  for (const auto& [name, member] : result_members()) {
    for (double& x : scale.lost.*member) x *= kLeastNormal;
  }
  return scale;
}

}  // namespace cosformer::test
