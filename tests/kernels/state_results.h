#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "kernels/attention_case.h"

namespace cosformer::test {

/// What state and read give, forward and backward, flattened.
struct StateResults {
  std::vector<double> S, z, d_key, d_value, output, denominator, d_query, dS, dz;
};

template <class T, class State, class StateBackward, class Read, class ReadBackward>
StateResults run_states(const Case& c, const Inputs<T>& in, State&& state, StateBackward&& state_backward,
                        Read&& read, ReadBackward&& read_backward) {
  const auto& s = in.shape;
  using F = cosformer::State<T>;
  const F nan = std::numeric_limits<F>::quiet_NaN();
  std::vector<F> S(in.S.size(), nan), z(in.z.size(), nan), dS(in.S.size(), nan), dz(in.z.size(), nan);
  const float* decay = in.decay.empty() ? nullptr : in.decay.data();
  state(AttentionState<T>{.shape = s,
                          .options = c.options,
                          .key_rows = in.key_rows.rows(),
                          .decay = decay,
                          .key = in.key.view(),
                          .value = in.value.view(),
                          .position = in.position.data(),
                          .S = S.data(),
                          .z = z.data()});
  const int64_t B = in.key_rows.cu_seqlens.empty() ? s.B : 1;
  Tensor<T> d_key(B, s.Tk, s.G, s.K, c.layout), d_value(B, s.Tk, s.G, s.V, c.layout);
  state_backward(AttentionStateBackward<T>{.shape = s,
                                           .options = c.options,
                                           .key_rows = in.key_rows.rows(),
                                           .decay = decay,
                                           .key = in.key.view(),
                                           .value = in.value.view(),
                                           .position = in.position.data(),
                                           .dS = in.dS_out.data(),
                                           .dz = in.dz_out.data(),
                                           .d_key = d_key.view(),
                                           .d_value = d_value.view()});
  StateResults r{
      {S.begin(), S.end()}, {z.begin(), z.end()}, d_key.values(), d_value.values(), {}, {}, {}, {}, {}};
  if (c.padding != Padding::none) return r;
  Tensor<T> output(B, s.Tq, s.H, s.V, c.layout), d_query(B, s.Tq, s.H, s.K, c.layout);
  std::vector<F> denominator(static_cast<size_t>(B * s.Tq * s.H), nan);
  AttentionOptions options = c.options;
  options.causal = false;
  read(AttentionRead<T>{.shape = s,
                        .options = options,
                        .query = in.query.view(),
                        .S = in.S.data(),
                        .z = in.z.data(),
                        .position = in.position.data(),
                        .output = output.view(),
                        .denominator = denominator.data()});
  read_backward(AttentionReadBackward<T>{.shape = s,
                                         .options = options,
                                         .query = in.query.view(),
                                         .S = in.S.data(),
                                         .z = in.z.data(),
                                         .position = in.position.data(),
                                         .output = std::as_const(output).view(),
                                         .denominator = denominator.data(),
                                         .d_output = in.d_output.view(),
                                         .d_query = d_query.view(),
                                         .dS = dS.data(),
                                         .dz = dz.data()});
  r.output = output.values();
  if (options.normalize) r.denominator.assign(denominator.begin(), denominator.end());
  r.d_query = d_query.values();
  r.dS.assign(dS.begin(), dS.end());
  r.dz.assign(dz.begin(), dz.end());
  return r;
}

inline StateResults run_state_reference(const Case& c, const Inputs<double>& in) {
  return run_states(
      c, in, [](const auto& a) { reference::attention_state(a); },
      [](const auto& a) { reference::attention_state_backward(a); },
      [](const auto& a) { reference::attention_read(a); },
      [](const auto& a) { reference::attention_read_backward(a); });
}

/// Largest error relative to the largest value: each result is a sum of at most a few hundred terms of that
/// size.
inline void expect_close(const StateResults& actual, const StateResults& expected, double limit,
                         const std::string& what) {
  const auto compare = [&](const char* name, const std::vector<double>& a, const std::vector<double>& b) {
    ASSERT_EQ(a.size(), b.size());
    double error = 0, size = 1;
    for (size_t i = 0; i < a.size(); ++i) {
      error = std::max(error, std::isfinite(a[i]) ? std::abs(a[i] - b[i]) : 1e300);
      size = std::max(size, std::abs(b[i]));
    }
    EXPECT_LE(error, limit * size) << name << " " << what;
  };
  compare("S", actual.S, expected.S);
  compare("z", actual.z, expected.z);
  compare("d_key", actual.d_key, expected.d_key);
  compare("d_value", actual.d_value, expected.d_value);
  compare("output", actual.output, expected.output);
  compare("denominator", actual.denominator, expected.denominator);
  compare("d_query", actual.d_query, expected.d_query);
  compare("dS", actual.dS, expected.dS);
  compare("dz", actual.dz, expected.dz);
}

}  // namespace cosformer::test
