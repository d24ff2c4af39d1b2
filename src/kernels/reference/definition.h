#pragma once

// The definition, one pair of positions after another. Meant to be read beside docs/math.md, not to be fast:
// work O(B H Tq Tk (K + V)), memory O(K + V). In double it says what correct means; in float it is the plain
// evaluation that error bounds compare with (angles are computed in double and rounded once).

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "cosformer/attention.h"

namespace cosformer::reference::definition {

template <class T>
T phi(T x, FeatureMap map) {
  return map == FeatureMap::relu && x < 0 ? 0 : x;
}
template <class T>
T d_phi(T x, FeatureMap map) {
  return map == FeatureMap::relu && x <= 0 ? 0 : 1;
}

template <class T>
T* row(const View<T>& view, int64_t b, int64_t t, int64_t h) {
  return view.data + b * view.batch_stride + t * view.time_stride + h * view.head_stride;
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

template <class T>
T dot_features(const T* q, const T* k, int64_t width, FeatureMap map) {
  T sum = 0;
  for (int64_t c = 0; c < width; ++c) sum += phi(q[c], map) * phi(k[c], map);
  return sum;
}

inline int64_t visible_keys(const AttentionShape& shape, const AttentionOptions& options, int64_t i) {
  return options.causal ? i + 1 : shape.Tk;
}

template <class T>
void forward(const AttentionForward<T>& args) {
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  const auto& options = args.options;
  const auto map = options.feature_map;
  check(args.shape, options, args.position);
  const int64_t N = options.states();
  std::vector<T> numerator(static_cast<size_t>(V));

  for (int64_t b = 0; b < B; ++b) {
    const int64_t first = args.position ? args.position[b] : 0;
    for (int64_t h = 0; h < H; ++h) {
      const int64_t g = h / (H / G);
      for (int64_t i = 0; i < Tq; ++i) {
        const T* q = row(args.query, b, i, h);
        std::fill(numerator.begin(), numerator.end(), T(0));
        T denominator = 0;
        for (int64_t n = 0; args.S && n < N; ++n) {
          const T factor = wave<T>(options, n, first + i);
          for (int64_t c = 0; c < K; ++c) {
            const T feature = phi(q[c], map) * factor;
            const int64_t state_row = ((b * G + g) * N + n) * K + c;
            denominator += feature * args.z[state_row];
            for (int64_t d = 0; d < V; ++d) numerator[d] += feature * args.S[state_row * V + d];
          }
        }
        for (int64_t j = 0; j < visible_keys(args.shape, options, i); ++j) {
          const T w = dot_features(q, row(args.key, b, j, g), K, map) *
                      static_cast<T>(std::cos(angle(options, i - j)));
          const T* v = row(args.value, b, j, g);
          denominator += w;
          for (int64_t d = 0; d < V; ++d) numerator[d] += w * v[d];
        }
        const T clamped = denominator < T(options.eps) ? T(options.eps) : denominator;
        T* out = row(args.output, b, i, h);
        for (int64_t d = 0; d < V; ++d) out[d] = numerator[d] / clamped;
        if (args.denominator) args.denominator[(b * Tq + i) * H + h] = denominator;
      }
    }
    for (int64_t g = 0; args.S_out && g < G; ++g) {
      for (int64_t n = 0; n < N; ++n) {
        for (int64_t c = 0; c < K; ++c) {
          const int64_t state_row = ((b * G + g) * N + n) * K + c;
          T z = args.z ? args.z[state_row] : 0;
          for (int64_t d = 0; d < V; ++d) {
            args.S_out[state_row * V + d] = args.S ? args.S[state_row * V + d] : 0;
          }
          for (int64_t j = 0; j < Tk; ++j) {
            const T feature = phi(row(args.key, b, j, g)[c], map) * wave<T>(options, n, first + j);
            const T* v = row(args.value, b, j, g);
            z += feature;
            for (int64_t d = 0; d < V; ++d) args.S_out[state_row * V + d] += feature * v[d];
          }
          args.z_out[state_row] = z;
        }
      }
    }
  }
}

template <class T>
void backward(const AttentionBackward<T>& args) {
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  const auto& options = args.options;
  const auto map = options.feature_map;
  check(args.shape, options, args.position);
  const int64_t N = options.states();
  std::vector<T> gradient(static_cast<size_t>(V));
  std::vector<T> d_feature(static_cast<size_t>(K));

  for (int64_t b = 0; b < B; ++b) {
    const int64_t first = args.position ? args.position[b] : 0;
    for (int64_t g = 0; g < G; ++g) {
      // What the gradient of the final state sends to every key and value, and to the initial state.
      for (int64_t j = 0; j < Tk; ++j) {
        const T* k = row(args.key, b, j, g);
        const T* v = row(args.value, b, j, g);
        T* dk = row(args.d_key, b, j, g);
        T* dv = row(args.d_value, b, j, g);
        std::fill_n(dv, V, T(0));
        for (int64_t c = 0; c < K; ++c) {
          T sum = 0;
          for (int64_t n = 0; args.dS_out && n < N; ++n) {
            const T factor = wave<T>(options, n, first + j);
            const int64_t state_row = ((b * G + g) * N + n) * K + c;
            sum += factor * args.dz_out[state_row];
            for (int64_t d = 0; d < V; ++d) {
              sum += factor * args.dS_out[state_row * V + d] * v[d];
              dv[d] += phi(k[c], map) * factor * args.dS_out[state_row * V + d];
            }
          }
          dk[c] = sum;  // gradient of phi(k); d_phi is applied below, when all rows have added theirs
        }
      }
      const int64_t states = (b * G + g) * N * K;
      for (int64_t r = states; args.dS && r < states + N * K; ++r) {
        args.dz[r] = args.dz_out ? args.dz_out[r] : 0;
        for (int64_t d = 0; d < V; ++d) args.dS[r * V + d] = args.dS_out ? args.dS_out[r * V + d] : 0;
      }
    }
    for (int64_t h = 0; h < H; ++h) {
      const int64_t g = h / (H / G);
      for (int64_t i = 0; i < Tq; ++i) {
        const T* q = row(args.query, b, i, h);
        const T* o = row(args.output, b, i, h);
        const T* d_out = row(args.d_output, b, i, h);
        const T denominator = args.denominator[(b * Tq + i) * H + h];
        const bool clamped = denominator < T(options.eps);
        T delta = 0;
        for (int64_t d = 0; d < V; ++d) {
          gradient[d] = d_out[d] / (clamped ? T(options.eps) : denominator);
          delta -= gradient[d] * o[d];
        }
        if (clamped) delta = 0;
        std::fill(d_feature.begin(), d_feature.end(), T(0));
        for (int64_t n = 0; args.S && n < N; ++n) {
          const T factor = wave<T>(options, n, first + i);
          for (int64_t c = 0; c < K; ++c) {
            const int64_t state_row = ((b * G + g) * N + n) * K + c;
            T sum = args.z[state_row] * delta;
            for (int64_t d = 0; d < V; ++d) sum += args.S[state_row * V + d] * gradient[d];
            d_feature[c] += factor * sum;
            if (args.dS) {
              const T feature = factor * phi(q[c], map);
              args.dz[state_row] += feature * delta;
              for (int64_t d = 0; d < V; ++d) args.dS[state_row * V + d] += feature * gradient[d];
            }
          }
        }
        for (int64_t j = 0; j < visible_keys(args.shape, options, i); ++j) {
          const T* k = row(args.key, b, j, g);
          const T* v = row(args.value, b, j, g);
          const T cosine = static_cast<T>(std::cos(angle(options, i - j)));
          T d_weight = delta;
          for (int64_t d = 0; d < V; ++d) d_weight += gradient[d] * v[d];
          d_weight *= cosine;
          const T w = dot_features(q, k, K, map) * cosine;
          T* dk = row(args.d_key, b, j, g);
          T* dv = row(args.d_value, b, j, g);
          for (int64_t c = 0; c < K; ++c) {
            d_feature[c] += d_weight * phi(k[c], map);
            dk[c] += d_weight * phi(q[c], map);
          }
          for (int64_t d = 0; d < V; ++d) dv[d] += w * gradient[d];
        }
        T* dq = row(args.d_query, b, i, h);
        for (int64_t c = 0; c < K; ++c) dq[c] = d_feature[c] * d_phi(q[c], map);
      }
    }
    for (int64_t g = 0; g < G; ++g) {
      for (int64_t j = 0; j < Tk; ++j) {
        const T* k = row(args.key, b, j, g);
        T* dk = row(args.d_key, b, j, g);
        for (int64_t c = 0; c < K; ++c) dk[c] *= d_phi(k[c], map);
      }
    }
  }
}

template <class T>
void step(const AttentionStep<T>& args) {
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  if (Tq != 1 || Tk != 1) throw ShapeError("attention_step: Tq and Tk must be 1, got " + std::to_string(Tq));
  check(args.shape, args.options, args.position);
  const auto map = args.options.feature_map;
  const int64_t N = args.options.states();
  std::vector<T> numerator(static_cast<size_t>(V));
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t g = 0; g < G; ++g) {
      const T* k = row(args.key, b, 0, g);
      const T* v = row(args.value, b, 0, g);
      for (int64_t n = 0; n < N; ++n) {
        const T factor = wave<T>(args.options, n, args.position[b]);
        for (int64_t c = 0; c < K; ++c) {
          const int64_t state_row = ((b * G + g) * N + n) * K + c;
          args.z[state_row] += phi(k[c], map) * factor;
          for (int64_t d = 0; d < V; ++d) args.S[state_row * V + d] += phi(k[c], map) * factor * v[d];
        }
      }
    }
    for (int64_t h = 0; h < H; ++h) {
      const int64_t g = h / (H / G);
      const T* q = row(args.query, b, 0, h);
      std::fill(numerator.begin(), numerator.end(), T(0));
      T denominator = 0;
      for (int64_t n = 0; n < N; ++n) {
        const T factor = wave<T>(args.options, n, args.position[b]);
        for (int64_t c = 0; c < K; ++c) {
          const int64_t state_row = ((b * G + g) * N + n) * K + c;
          const T feature = phi(q[c], map) * factor;
          denominator += feature * args.z[state_row];
          for (int64_t d = 0; d < V; ++d) numerator[d] += feature * args.S[state_row * V + d];
        }
      }
      T* out = row(args.output, b, 0, h);
      for (int64_t d = 0; d < V; ++d) {
        out[d] = numerator[d] / (denominator < args.options.eps ? T(args.options.eps) : denominator);
      }
    }
    args.position[b] += 1;
  }
}

}  // namespace cosformer::reference::definition
