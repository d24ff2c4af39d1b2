#pragma once

// The state of a sweep: packed and unpacked, and what a chunk adds to it.

#include "kernels/cpu/plan.h"
#include "kernels/cpu/prefetch.h"

namespace cosformer::cpu {
namespace {

COSFORMER_INLINE void clear(float* p, int64_t floats) {
  for (int64_t i = 0; i < floats; i += W) store(p + i, zero());
}

template <class T>
void clear_state(const Sweep<T>& s, const Plan& p) {
  clear(p.state, p.rows * p.ld_u * s.N);
  clear(p.sum, s.N * p.ld_sum);
}

/// What reads the state after it was loaded or summed elsewhere; see place_copies.
template <class T>
void refresh_copies(const Sweep<T>&, const Plan&) {}

/// Copies between the caller's state and the packed one.
template <bool kStore, class T>
void convert_state(const Sweep<T>& s, const Plan& p, const StateView& view) {
  const auto copy = [](float& outside, float& inside) { kStore ? outside = inside : inside = outside; };
  for_panels(p.ld_u, [&]<int V>(int64_t column) {
    constexpr int64_t panel = V * W;
    float* packed = panel_of(p.state, p, s.N, column);
    for (int64_t n = 0; n < s.N; ++n) {
      for (int64_t k = 0; k < s.X; ++k) {
        float* row = view.data + n * view.n_stride + k * view.x_stride;
        for (int64_t c = 0; c < smaller(panel, p.columns - column); ++c) {
          copy(row[(s.u_begin + column + c) * view.u_stride], packed[(k * s.N + n) * panel + c]);
        }
      }
    }
  });
  // Every range of columns has the whole sum of keys; the first stores it.
  if (!view.sum || s.sum == Sum::none || (kStore && s.sum != Sum::u && s.u_begin > 0)) return;
  const int64_t begin = s.sum == Sum::u ? s.u_begin : 0, width = s.sum == Sum::u ? p.columns : s.X;
  for (int64_t n = 0; n < s.N; ++n) {
    for (int64_t k = 0; k < width; ++k) {
      copy(view.sum[n * view.sum_n_stride + begin + k], p.sum[n * p.ld_sum + k]);
    }
  }
}

/// The sweep's plan with the state at `state`.
template <class P, class T>
P plan_with_state(const Sweep<T>& s, float* scratch, float* state) {
  P p = make_plan<P>(s, scratch);
  place_state(p, state);
  return p;
}

template <class P, class T>
void load_state(const Sweep<T>& s, float* state) {
  const P p = plan_with_state<P>(s, nullptr, state);
  clear_state(s, p);
  if (s.first.data) convert_state<false>(s, p, s.first);
}

template <class P, class T>
void store_state(const Sweep<T>& s, const float* state) {
  if (s.last.data) convert_state<true>(s, plan_with_state<P>(s, nullptr, const_cast<float*>(state)), s.last);
}

/// Of the chunk's rows [first, first + count): b, and for the state their waves, faded to the row after them.
template <class T>
void pack_terms(const Sweep<T>& s, const Plan& p, int64_t first, int64_t count, bool for_state) {
  for (int64_t h = 0; s.b.data && h < s.y_heads; ++h) {
    copy_terms(p.b + h * p.head_keys, s.b.head(h), s.y_side, first, count);
  }
  for (int n = 0; for_state && n < s.N; ++n) {
    copy_terms(p.wave[n], n == 0 ? s.y_side.cos : s.y_side.sin, s.y_side, first, count);
    for (int64_t r = 0; s.decay && r < count; ++r) p.wave[n][r] *= s.decay[count - s.lag - r];
    for (int64_t h = 0; s.sum != Sum::none && h < s.y_heads; ++h) {
      const int64_t at = h * p.head_keys;
      for (int64_t r = 0; r < count; r += W) {
        Vec factor = load(p.wave[n] + r);
        if (s.sum == Sum::b_y) factor *= s.b.data ? load(p.b + at + r) : zero();
        store(p.factor[n] + at + r, factor);
      }
    }
  }
}

/// Rows [first, first + count) of y and u.
template <class T>
void pack_chunk(const Sweep<T>& s, const Plan& p, int64_t first, int64_t count, bool for_state) {
  pack_terms(s, p, first, count, for_state);
  for (int64_t h = 0; h < s.y_heads; ++h) {
    float* y = p.y + h * p.head_keys * p.ld_y;
    float* u = p.u + h * p.head_keys * p.ld_u;
    pack_rows(y, p.ld_y, RowSource<T>{s.y, s.y_side, h, s.relu_y}, first, count, 0, s.X);
    pack_rows(u, p.ld_u, RowSource<T>{s.u, s.y_side, h, s.relu_u, s.u_scale.head(h)}, first, count, s.u_begin,
              s.u_end);
    // Rows that are scored but not there.
    const int64_t missing = round_up(count, R) - count;
    if (missing > 0) {
      clear(y + count * p.ld_y, missing * p.ld_y);
      clear(u + count * p.ld_u, missing * p.ld_u);
    }
  }
}

/// A panel's columns of one head's u times each wave: [count][V vectors].
template <int kWaves, int V>
COSFORMER_INLINE void scale_panel(const Plan& p, const float* u, int64_t count) {
  for (int64_t r = 0; r < count; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Vec value = load(u + r * p.ld_u + v * W);
#pragma GCC unroll 2
      for (int n = 0; n < kWaves; ++n) store(p.u_wave[n] + (r * V + v) * W, value * p.wave[n][r]);
    }
  }
}

/// One panel of the state takes `count` rows of each head in.
template <int N, int V, bool kFade, class T>
COSFORMER_INLINE void update_panel(const Sweep<T>& s, const Plan& p, int64_t column, int64_t count,
                                   float fade, Prefetch& ahead) {
  float* panel = panel_of(p.state, p, N, column);
  for (int64_t h = 0; h < s.y_heads; ++h) {
    const float* y = p.y + h * p.head_keys * p.ld_y;
    const float* u = p.u + h * p.head_keys * p.ld_u + column;
    // Scaled just before they are used: fewer lines compete for the first-level cache.
    if (N == 2 || p.waves == 1) scale_panel<N, V>(p, u, count);
    const float* const sources[2] = {p.waves > 0 ? p.u_wave[0] : u, p.u_wave[1]};
    const int64_t ld = p.waves > 0 ? V * W : p.ld_u;
    for (int64_t k = 0; k < p.rows; k += kTileRows) {
      ahead.next_tile();
      if (kFade && h == 0) {
        update_tile<N, V, true>(panel, y, p.ld_y, sources, ld, count, k, fade, ahead);
      } else {
        update_tile<N, V, false>(panel, y, p.ld_y, sources, ld, count, k, fade, ahead);
      }
    }
  }
}

/// sum[n][c] = sum[n][c] * fade + sum_r factor[n][r] row_r[c] over the chunk's rows of all heads, V vectors
/// at a time.
template <int N, int V>
COSFORMER_INLINE void add_rows(float* sum, int64_t ld_sum, float fade, const float* rows, int64_t ld,
                               const float* const (&factor)[2], const Plan& p, int64_t heads, int64_t count) {
  Vec acc[N][V] = {};
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t r = h * p.head_keys; r < h * p.head_keys + count; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const Vec row = load(rows + r * ld + v * W);
#pragma GCC unroll 2
        for (int n = 0; n < N; ++n) acc[n][v] += row * factor[n][r];
      }
    }
  }
#pragma GCC unroll 2
  for (int n = 0; n < N; ++n) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      float* to = sum + n * ld_sum + v * W;
      store(to, acc[n][v] + load(to) * fade);
    }
  }
}

template <int N, class T>
void update_sum(const Sweep<T>& s, const Plan& p, int64_t count, float fade) {
  if (s.sum == Sum::none) return;
  const float* rows = s.sum == Sum::u ? p.u : p.y;
  const int64_t ld = s.sum == Sum::u ? p.ld_u : p.ld_y;
  const float* const factor[2] = {p.factor[0], p.factor[1]};
  int64_t c = 0;
  for (; c + 4 * W <= p.ld_sum; c += 4 * W) {
    add_rows<N, 4>(p.sum + c, p.ld_sum, fade, rows + c, ld, factor, p, s.y_heads, count);
  }
  for (; c < p.ld_sum; c += W)
    add_rows<N, 1>(p.sum + c, p.ld_sum, fade, rows + c, ld, factor, p, s.y_heads, count);
}

}  // namespace
}  // namespace cosformer::cpu
