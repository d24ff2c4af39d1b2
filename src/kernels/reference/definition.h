#pragma once

// The definition, one pair of positions after another. Meant to be read beside docs/math.md, not to be fast:
// work O(B H Tq Tk (K + V)), memory O(T + K + V). In double it says what correct means; in float it is the
// plain evaluation that error bounds compare with (angles are computed in double and rounded once).

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "cosformer/attention.h"
#include "kernels/check.h"

namespace cosformer::reference::definition {

template <class T>
T phi(T x, FeatureMap map) {
  return map == FeatureMap::relu && x < 0 ? 0 : x;
}
template <class T>
T d_phi(T x, FeatureMap map) {
  return map == FeatureMap::relu && x <= 0 ? 0 : 1;
}

/// A row of a batch: sequence and time, or 0 and the row of packed sequences.
struct Place {
  int64_t b, t;
};

/// The tokens of sequence b in order of position.
inline std::vector<Place> tokens(const Rows& rows, int64_t T, int64_t b) {
  std::vector<Place> places;
  if (rows.cu_seqlens) {
    for (int64_t t = rows.cu_seqlens[b]; t < rows.cu_seqlens[b + 1]; ++t) places.push_back({0, t});
    return places;
  }
  for (int64_t t = 0; t < T; ++t) {
    const bool padded =
        rows.padding && rows.padding[b * rows.padding_batch_stride + t * rows.padding_time_stride];
    if (!padded) places.push_back({b, t});
  }
  return places;
}

template <class T>
T* row(const View<T>& view, const Place& p, int64_t h) {
  return view.data + p.b * view.batch_stride + p.t * view.time_stride + h * view.head_stride;
}

/// Padded rows of a result are 0.
template <class T>
void clear_padding(const View<T>& view, const Rows& rows, int64_t B, int64_t length, int64_t heads,
                   int64_t width) {
  if (!rows.padding) return;
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t t = 0; t < length; ++t) {
      if (!rows.padding[b * rows.padding_batch_stride + t * rows.padding_time_stride]) continue;
      for (int64_t h = 0; h < heads; ++h) std::fill_n(row(view, {b, t}, h), width, T(0));
    }
  }
}

inline double angle(const AttentionOptions& options, int64_t position) {
  return options.horizon ? std::numbers::pi * static_cast<double>(position) /
                               (2.0 * static_cast<double>(*options.horizon))
                         : 0;
}

/// Factor of state n (0: cosine, 1: sine) at a position.
template <class T>
T wave(const AttentionOptions& options, int64_t n, int64_t position) {
  const double theta = angle(options, position);
  return static_cast<T>(n == 0 ? std::cos(theta) : std::sin(theta));
}

/// exp(-decay distance) of group g.
template <class T>
T decayed(const float* decay, int64_t g, int64_t distance) {
  return decay ? static_cast<T>(std::exp(-static_cast<double>(decay[g]) * static_cast<double>(distance)))
               : T(1);
}

template <class T>
T dot_features(const T* q, const T* k, int64_t width, FeatureMap map) {
  T sum = 0;
  for (int64_t c = 0; c < width; ++c) sum += phi(q[c], map) * phi(k[c], map);
  return sum;
}

/// Adds the tokens of sequence b to S [G, N, K, V] and z [G, N, K] of that sequence, which are decayed to the
/// position after the last token.
template <class T, class Args>
void add_to_state(const Args& args, int64_t b, State<T>* S, State<T>* z) {
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  const auto keys = tokens(args.key_rows, Tk, b);
  const auto count = static_cast<int64_t>(keys.size());
  const int64_t N = args.options.states(), first = args.position ? args.position[b] : 0;
  for (int64_t g = 0; g < G; ++g) {
    for (int64_t n = 0; n < N; ++n) {
      for (int64_t c = 0; c < K; ++c) {
        const int64_t at = (g * N + n) * K + c;
        const T faded = decayed<T>(args.decay, g, count);
        z[at] *= faded;
        for (int64_t d = 0; d < V; ++d) S[at * V + d] *= faded;
        for (int64_t j = 0; j < count; ++j) {
          const T feature = phi(row(args.key, keys[j], g)[c], args.options.feature_map) *
                            wave<T>(args.options, n, first + j) * decayed<T>(args.decay, g, count - j);
          const T* v = row(args.value, keys[j], g);
          z[at] += feature;
          for (int64_t d = 0; d < V; ++d) S[at * V + d] += feature * v[d];
        }
      }
    }
  }
}

/// Sets d_key and d_value of sequence b to what the gradient of the state after it sends, d_key before phi'.
template <class T, class Args>
void state_gradients(const Args& args, int64_t b, const State<T>* dS, const State<T>* dz) {
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  const auto keys = tokens(args.key_rows, Tk, b);
  const auto count = static_cast<int64_t>(keys.size());
  const int64_t N = args.options.states(), first = args.position ? args.position[b] : 0;
  for (int64_t g = 0; g < G; ++g) {
    for (int64_t j = 0; j < count; ++j) {
      const T* k = row(args.key, keys[j], g);
      const T* v = row(args.value, keys[j], g);
      T* dk = row(args.d_key, keys[j], g);
      T* dv = row(args.d_value, keys[j], g);
      std::fill_n(dv, V, T(0));
      for (int64_t c = 0; c < K; ++c) {
        T sum = 0;
        for (int64_t n = 0; n < N; ++n) {
          const T factor = wave<T>(args.options, n, first + j) * decayed<T>(args.decay, g, count - j);
          const int64_t at = ((b * G + g) * N + n) * K + c;
          if (dz) sum += factor * dz[at];
          for (int64_t d = 0; dS && d < V; ++d) {
            sum += factor * dS[at * V + d] * v[d];
            dv[d] += phi(k[c], args.options.feature_map) * factor * dS[at * V + d];
          }
        }
        dk[c] = sum;
      }
    }
  }
}

template <class T, class Args>
void finish_key_gradients(const Args& args, int64_t b) {
  for (const Place& p : tokens(args.key_rows, args.shape.Tk, b)) {
    for (int64_t g = 0; g < args.shape.G; ++g) {
      const T* k = row(args.key, p, g);
      T* dk = row(args.d_key, p, g);
      for (int64_t c = 0; c < args.shape.K; ++c) dk[c] *= d_phi(k[c], args.options.feature_map);
    }
  }
}

/// What row i of a sequence reads from a state that stands before the sequence: its share of the numerator
/// [V] is added; returns that of the denominator.
template <class T>
T read_state(const AttentionShape& shape, const AttentionOptions& options, const T* q, int64_t position,
             T faded, const State<T>* S, const State<T>* z, T* numerator) {
  T denominator = 0;
  for (int64_t n = 0; n < options.states(); ++n) {
    const T factor = wave<T>(options, n, position) * faded;
    for (int64_t c = 0; c < shape.K; ++c) {
      const T feature = phi(q[c], options.feature_map) * factor;
      const int64_t at = n * shape.K + c;
      denominator += feature * z[at];
      for (int64_t d = 0; d < shape.V; ++d) numerator[d] += feature * S[at * shape.V + d];
    }
  }
  return denominator;
}

/// The gradient of the numerator, and of the denominator, of one row.
template <class T>
struct RowGradient {
  std::vector<T> numerator;
  T denominator = 0;
};

template <class T, class Args>
RowGradient<T> row_gradient(const Args& args, const Place& p, int64_t h) {
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  const T* d_out = row(args.d_output, p, h);
  RowGradient<T> gradient{std::vector<T>(d_out, d_out + V)};
  if (!args.options.normalize) return gradient;
  const T* o = row(args.output, p, h);
  const T denominator = args.denominator[(p.b * Tq + p.t) * H + h];
  const bool clamped = denominator < T(args.options.eps);
  for (int64_t d = 0; d < V; ++d) {
    gradient.numerator[d] /= clamped ? T(args.options.eps) : denominator;
    if (!clamped) gradient.denominator -= gradient.numerator[d] * o[d];
  }
  return gradient;
}

/// Gradients of what read_state() does: adds to d_feature [K] (before phi') and to dS, dz where wanted.
template <class T>
void read_state_backward(const AttentionShape& shape, const AttentionOptions& options, const T* q,
                         int64_t position, T faded, const State<T>* S, const State<T>* z,
                         const RowGradient<T>& gradient, T* d_feature, State<T>* dS, State<T>* dz) {
  for (int64_t n = 0; n < options.states(); ++n) {
    const T factor = wave<T>(options, n, position) * faded;
    for (int64_t c = 0; c < shape.K; ++c) {
      const int64_t at = n * shape.K + c;
      const T feature = phi(q[c], options.feature_map) * factor;
      T sum = z[at] * gradient.denominator;
      for (int64_t d = 0; d < shape.V; ++d) sum += S[at * shape.V + d] * gradient.numerator[d];
      d_feature[c] += factor * sum;
      if (dz) dz[at] += feature * gradient.denominator;
      for (int64_t d = 0; dS && d < shape.V; ++d) dS[at * shape.V + d] += feature * gradient.numerator[d];
    }
  }
}

template <class T>
void write_output(const AttentionOptions& options, const std::vector<T>& numerator, T denominator, T* out) {
  const T divisor = !options.normalize ? T(1) : denominator < T(options.eps) ? T(options.eps) : denominator;
  for (size_t d = 0; d < numerator.size(); ++d) out[d] = numerator[d] / divisor;
}

template <class T>
void forward(const AttentionForward<T>& args) {
  check(args);
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  const auto& options = args.options;
  const int64_t N = options.states();
  clear_padding(args.output, args.query_rows, B, Tq, H, V);
  for (int64_t b = 0; b < B; ++b) {
    const auto queries = tokens(args.query_rows, Tq, b), keys = tokens(args.key_rows, Tk, b);
    const int64_t first = args.position ? args.position[b] : 0;
    const auto Q = static_cast<int64_t>(queries.size()), Kn = static_cast<int64_t>(keys.size());
    for (int64_t h = 0; h < H; ++h) {
      const int64_t g = h / (H / G), state = (b * G + g) * N * K;
      for (int64_t i = 0; i < Q; ++i) {
        const T* q = row(args.query, queries[i], h);
        std::vector<T> numerator(static_cast<size_t>(V));
        T denominator = 0;
        if (args.S) {
          denominator = read_state<T>(args.shape, options, q, first + i, decayed<T>(args.decay, g, i),
                                      args.S + state * V, args.z + state, numerator.data());
        }
        for (int64_t j = 0; j < (options.causal ? i + 1 : Kn); ++j) {
          const T w = dot_features(q, row(args.key, keys[j], g), K, options.feature_map) *
                      static_cast<T>(std::cos(angle(options, i - j))) * decayed<T>(args.decay, g, i - j);
          const T* v = row(args.value, keys[j], g);
          denominator += w;
          for (int64_t d = 0; d < V; ++d) numerator[d] += w * v[d];
        }
        write_output(options, numerator, denominator, row(args.output, queries[i], h));
        if (args.denominator) args.denominator[(queries[i].b * Tq + queries[i].t) * H + h] = denominator;
      }
    }
    if (!args.S_out) continue;
    const int64_t states = b * G * N * K;
    for (int64_t r = states; r < states + G * N * K; ++r) {
      args.z_out[r] = args.z ? args.z[r] : 0;
      for (int64_t d = 0; d < V; ++d) args.S_out[r * V + d] = args.S ? args.S[r * V + d] : 0;
    }
    add_to_state<T>(args, b, args.S_out + states * V, args.z_out + states);
  }
}

template <class T>
void backward(const AttentionBackward<T>& args) {
  check(args);
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  const auto& options = args.options;
  const auto map = options.feature_map;
  const int64_t N = options.states();
  clear_padding(args.d_query, args.query_rows, B, Tq, H, K);
  clear_padding(args.d_key, args.key_rows, B, Tk, G, K);
  clear_padding(args.d_value, args.key_rows, B, Tk, G, V);
  for (int64_t b = 0; b < B; ++b) {
    const auto queries = tokens(args.query_rows, Tq, b), keys = tokens(args.key_rows, Tk, b);
    const int64_t first = args.position ? args.position[b] : 0;
    const auto Q = static_cast<int64_t>(queries.size()), Kn = static_cast<int64_t>(keys.size());
    state_gradients<T>(args, b, args.dS_out, args.dz_out);
    for (int64_t g = 0; g < G; ++g) {
      const T faded = decayed<T>(args.decay, g, Kn);
      for (int64_t r = (b * G + g) * N * K; args.dS && r < (b * G + g + 1) * N * K; ++r) {
        args.dz[r] = args.dz_out ? args.dz_out[r] * faded : 0;
        for (int64_t d = 0; d < V; ++d) args.dS[r * V + d] = args.dS_out ? args.dS_out[r * V + d] * faded : 0;
      }
    }
    for (int64_t h = 0; h < H; ++h) {
      const int64_t g = h / (H / G), state = (b * G + g) * N * K;
      for (int64_t i = 0; i < Q; ++i) {
        const T* q = row(args.query, queries[i], h);
        const RowGradient<T> gradient = row_gradient<T>(args, queries[i], h);
        std::vector<T> d_feature(static_cast<size_t>(K));
        if (args.S) {
          read_state_backward<T>(args.shape, options, q, first + i, decayed<T>(args.decay, g, i),
                                 args.S + state * V, args.z + state, gradient, d_feature.data(),
                                 args.dS ? args.dS + state * V : nullptr,
                                 args.dz ? args.dz + state : nullptr);
        }
        for (int64_t j = 0; j < (options.causal ? i + 1 : Kn); ++j) {
          const T* k = row(args.key, keys[j], g);
          const T* v = row(args.value, keys[j], g);
          const T factor = static_cast<T>(std::cos(angle(options, i - j))) * decayed<T>(args.decay, g, i - j);
          T d_weight = gradient.denominator;
          for (int64_t d = 0; d < V; ++d) d_weight += gradient.numerator[d] * v[d];
          d_weight *= factor;
          const T w = dot_features(q, k, K, map) * factor;
          T* dk = row(args.d_key, keys[j], g);
          T* dv = row(args.d_value, keys[j], g);
          for (int64_t c = 0; c < K; ++c) {
            d_feature[c] += d_weight * phi(k[c], map);
            dk[c] += d_weight * phi(q[c], map);
          }
          for (int64_t d = 0; d < V; ++d) dv[d] += w * gradient.numerator[d];
        }
        T* dq = row(args.d_query, queries[i], h);
        for (int64_t c = 0; c < K; ++c) dq[c] = d_feature[c] * d_phi(q[c], map);
      }
    }
    finish_key_gradients<T>(args, b);
  }
}

template <class T>
void state(const AttentionState<T>& args) {
  check(args);
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  const int64_t rows = G * args.options.states() * K;
  for (int64_t b = 0; b < B; ++b) {
    State<T>*S = args.S + b * rows * V, *z = args.z + b * rows;
    std::fill_n(S, rows * V, 0);
    std::fill_n(z, rows, 0);
    add_to_state<T>(args, b, S, z);
  }
}

template <class T>
void state_backward(const AttentionStateBackward<T>& args) {
  check(args);
  const auto& s = args.shape;
  clear_padding(args.d_key, args.key_rows, s.B, s.Tk, s.G, s.K);
  clear_padding(args.d_value, args.key_rows, s.B, s.Tk, s.G, s.V);
  for (int64_t b = 0; b < s.B; ++b) {
    state_gradients<T>(args, b, args.dS, args.dz);
    finish_key_gradients<T>(args, b);
  }
}

template <class T>
void read(const AttentionRead<T>& args) {
  check(args);
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t h = 0; h < H; ++h) {
      const int64_t state = (b * G + h / (H / G)) * args.options.states() * K;
      for (int64_t i = 0; i < Tq; ++i) {
        std::vector<T> numerator(static_cast<size_t>(V));
        const T denominator = read_state<T>(args.shape, args.options, row(args.query, {b, i}, h),
                                            (args.position ? args.position[b] : 0) + i, T(1),
                                            args.S + state * V, args.z + state, numerator.data());
        write_output(args.options, numerator, denominator, row(args.output, {b, i}, h));
        if (args.denominator) args.denominator[(b * Tq + i) * H + h] = denominator;
      }
    }
  }
}

template <class T>
void read_backward(const AttentionReadBackward<T>& args) {
  check(args);
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  const int64_t N = args.options.states();
  if (args.dS) std::fill_n(args.dS, B * G * N * K * V, 0);
  if (args.dz) std::fill_n(args.dz, B * G * N * K, 0);
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t h = 0; h < H; ++h) {
      const int64_t state = (b * G + h / (H / G)) * N * K;
      for (int64_t i = 0; i < Tq; ++i) {
        const T* q = row(args.query, {b, i}, h);
        std::vector<T> d_feature(static_cast<size_t>(K));
        read_state_backward<T>(args.shape, args.options, q, (args.position ? args.position[b] : 0) + i, T(1),
                               args.S + state * V, args.z + state, row_gradient<T>(args, {b, i}, h),
                               d_feature.data(), args.dS ? args.dS + state * V : nullptr,
                               args.dz ? args.dz + state : nullptr);
        T* dq = row(args.d_query, {b, i}, h);
        for (int64_t c = 0; c < K; ++c) dq[c] = d_feature[c] * d_phi(q[c], args.options.feature_map);
      }
    }
  }
}

template <class T>
void step(const AttentionStep<T>& args) {
  check(args);
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  AttentionForward<T> forward{.shape = args.shape,
                              .options = args.options,
                              .decay = args.decay,
                              .query = args.query,
                              .key = args.key,
                              .value = args.value,
                              .output = args.output,
                              .position = args.position};
  forward.options.causal = true;
  const auto rows = static_cast<size_t>(B * G * args.options.states() * K);
  const std::vector<State<T>> S(args.S, args.S + rows * static_cast<size_t>(V)), z(args.z, args.z + rows);
  const State<T> nothing = 0;
  forward.S = S.empty() ? &nothing : S.data();
  forward.z = z.empty() ? &nothing : z.data();
  forward.S_out = args.S;
  forward.z_out = args.z;
  definition::forward(forward);
  for (int64_t b = 0; b < B; ++b) args.position[b] += 1;
}

}  // namespace cosformer::reference::definition
