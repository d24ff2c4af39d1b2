// The state of a stretch alone, and queries that read a state: values and gradients against the reference,
// and against attention over the same tokens.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/attention_case.h"
#include "kernels/under_test.h"

namespace cosformer::test {
namespace {

/// What state and read give, forward and backward, flattened.
struct StateResults {
  std::vector<double> S, z, d_key, d_value, output, denominator, d_query, dS, dz;
};

template <class T, class State, class StateBackward, class Read, class ReadBackward>
StateResults run(const Case& c, const Inputs<T>& in, State&& state, StateBackward&& state_backward,
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

StateResults run_state_reference(const Case& c, const Inputs<double>& in) {
  return run(
      c, in, [](const auto& a) { reference::attention_state(a); },
      [](const auto& a) { reference::attention_state_backward(a); },
      [](const auto& a) { reference::attention_read(a); },
      [](const auto& a) { reference::attention_read_backward(a); });
}

template <class T>
StateResults run_state_kernels(const Case& c, const Inputs<T>& in, const Execution& e) {
  return run(
      c, in, [&](const auto& a) { under_test::attention_state(a, e); },
      [&](const auto& a) { under_test::attention_state_backward(a, e); },
      [&](const auto& a) { under_test::attention_read(a, e); },
      [&](const auto& a) { under_test::attention_read_backward(a, e); });
}

/// Largest error relative to the largest value: each result is a sum of at most a few hundred terms of that
/// size.
void expect_close(const StateResults& actual, const StateResults& expected, double limit,
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

TEST(State, EqualsReference) {
  for (const int64_t T : {int64_t{0}, int64_t{1}, int64_t{15}, int64_t{33}, under_test::long_length()}) {
    for (const bool decay : {false, true}) {
      for (const bool normalize : {true, false}) {
        for (const Padding padding : {Padding::none, Padding::holes}) {
          Case c;
          c.shape = {.B = 2, .Tq = T, .Tk = T, .H = 4, .G = 2, .K = 12, .V = 20};
          c.options = {.horizon = 3 * T + 9, .causal = true, .normalize = normalize};
          c.states = true;
          c.decay = decay;
          c.padding = padding;
          c.position = 2;
          const Inputs<double> exact(c, true);
          const StateResults expected = run_state_reference(c, exact);
          for (const Isa isa : under_test::isas()) {
            const Execution execution{.isa = isa, .width = 3};
            const std::string what = std::string(name(isa)) + " " + c.describe();
            expect_close(run_state_kernels(c, Inputs<float>(c, true), execution), expected, 64 * kEpsilon,
                         what);
            expect_close(run_state_kernels(c, Inputs<bfloat16>(c, true), execution), expected,
                         isa >= Isa::avx512_bf16 ? 0x1p-6 : 0x1p-7, "bfloat16 " + what);
          }
        }
      }
    }
  }
}

TEST(State, ReadingTheStateOfKeysIsCrossAttention) {
  Case c;
  c.shape = {.B = 2, .Tq = 40, .Tk = 70, .H = 4, .G = 2, .K = 16, .V = 16};
  c.options = {.horizon = 100};
  c.states = true;
  const Inputs<float> in(c, false);
  std::vector<float> S(in.S.size()), z(in.z.size());
  Tensor<float> read(2, 40, 4, 16), attended(2, 40, 4, 16);
  under_test::attention_state(AttentionState<float>{.shape = in.shape,
                                                    .options = c.options,
                                                    .key = in.key.view(),
                                                    .value = in.value.view(),
                                                    .S = S.data(),
                                                    .z = z.data()});
  under_test::attention_read(AttentionRead<float>{.shape = in.shape,
                                                  .options = c.options,
                                                  .query = in.query.view(),
                                                  .S = S.data(),
                                                  .z = z.data(),
                                                  .output = read.view()});
  under_test::attention_forward(AttentionForward<float>{.shape = in.shape,
                                                        .options = c.options,
                                                        .query = in.query.view(),
                                                        .key = in.key.view(),
                                                        .value = in.value.view(),
                                                        .output = attended.view()},
                                {.form = Form::chunked});
  EXPECT_EQ(read.values(), attended.values());
}

}  // namespace
}  // namespace cosformer::test
