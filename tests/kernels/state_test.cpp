// The state of a stretch alone, and queries that read a state: values and gradients against the reference,
// and against attention over the same tokens.

#include <gtest/gtest.h>

#include "kernels/state_results.h"
#include "kernels/under_test.h"

namespace cosformer::test {
namespace {

template <class T>
StateResults run_state_kernels(const Case& c, const Inputs<T>& in, const Execution& e) {
  return run_states(
      c, in, [&](const auto& a) { under_test::attention_state(a, e); },
      [&](const auto& a) { under_test::attention_state_backward(a, e); },
      [&](const auto& a) { under_test::attention_read(a, e); },
      [&](const auto& a) { under_test::attention_read_backward(a, e); });
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
