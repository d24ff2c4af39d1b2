// Every instruction set, form and dtype against the reference in double, forward and every gradient.

#include <gtest/gtest.h>

#include "kernels/attention_case.h"
#include "kernels/under_test.h"

namespace cosformer::test {
namespace {

void compare_all_forms(const Case& c) {
  const Inputs<double> exact(c, true);
  const Inputs<float> rounded(c, true);
  const Inputs<bfloat16> stored(c, true);
  const Results expected = run_reference(c, exact);
  const Scale scale = rounding_scale(c, exact, expected);
  const Results plain = run_plain(c, rounded);
  for (const Isa isa : under_test::isas()) {
    for (const Form form :
         under_test::forms({Form::quadratic, Form::chunked, Form::automatic, Form::recurrent})) {
      if (form == Form::recurrent && !c.options.causal) continue;
      const Execution execution{.isa = isa, .form = form, .width = 2};
      const std::string what =
          std::string(name(isa)) + " form " + std::to_string(static_cast<int>(form)) + " " + c.describe();
      EXPECT_EQ(find_error(run_kernels(c, rounded, execution), expected, scale, plain,
                           allowance(c, form, isa, false)),
                "")
          << what;
      EXPECT_EQ(find_error(run_kernels(c, stored, execution), expected, scale, plain,
                           allowance(c, form, isa, true)),
                "")
          << "bfloat16 " << what;
    }
  }
}

class Lengths : public testing::TestWithParam<int64_t> {};

TEST_P(Lengths, CausalEqualsReference) {
  for (const auto& [K, V] : {std::pair<int64_t, int64_t>{64, 64}, {5, 3}, {33, 17}}) {
    for (const Layout layout : {Layout::contiguous, Layout::misaligned}) {
      Case c;
      c.shape = {.B = 2, .Tq = GetParam(), .Tk = GetParam(), .H = 2, .G = 2, .K = K, .V = V};
      c.options = {.horizon = std::max<int64_t>(GetParam(), 1), .causal = true};
      c.layout = layout;
      c.seed = static_cast<uint64_t>(GetParam() * 100 + K);
      compare_all_forms(c);
      if (layout != Layout::contiguous) continue;
      c.options.horizon.reset();
      c.options.feature_map = FeatureMap::identity;
      compare_all_forms(c);
    }
  }
}

TEST_P(Lengths, StatefulEqualsReference) {
  for (const auto& [K, V] : {std::pair<int64_t, int64_t>{32, 48}, {7, 5}}) {
    for (const bool with_horizon : {true, false}) {
      for (const bool decay : {true, false}) {
        Case c;
        c.shape = {.B = 2, .Tq = GetParam(), .Tk = GetParam(), .H = 1, .G = 1, .K = K, .V = V};
        c.options.causal = true;
        if (with_horizon) c.options.horizon = 2 * GetParam() + 40;
        c.states = true;
        c.decay = decay;
        c.position = 3;
        c.seed = static_cast<uint64_t>(GetParam() * 10 + V);
        compare_all_forms(c);
      }
    }
  }
}

TEST_P(Lengths, CrossEqualsReference) {
  for (const int64_t keys : {1, 70, 200}) {
    Case c;
    c.shape = {.B = 1, .Tq = GetParam(), .Tk = keys, .H = 2, .G = 2, .K = 24, .V = 36};
    c.options.horizon = std::max<int64_t>(GetParam(), keys);
    c.seed = static_cast<uint64_t>(GetParam() + keys);
    compare_all_forms(c);
    c.options.horizon.reset();
    c.options.feature_map = FeatureMap::identity;
    compare_all_forms(c);
  }
}

TEST_P(Lengths, PaddedGroupsEqualReference) {
  for (const Padding padding : {Padding::left, Padding::right, Padding::holes, Padding::packed}) {
    for (const bool causal : {true, false}) {
      for (const bool normalize : {true, false}) {
        Case c;
        c.shape = {.B = 3, .Tq = GetParam(), .Tk = GetParam(), .H = 6, .G = 2, .K = 20, .V = 24};
        c.options = {.horizon = GetParam() + 9, .causal = causal, .normalize = normalize};
        c.padding = padding;
        c.states = c.decay = causal;
        c.seed = static_cast<uint64_t>(GetParam() + 7);
        compare_all_forms(c);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(T, Lengths, testing::ValuesIn(under_test::lengths()));

TEST(Sweep, LongCausalEqualsReference) {
  Case c;
  c.shape = {.B = 1, .Tq = 1000, .Tk = 1000, .H = 1, .G = 1, .K = 64, .V = 64};
  c.options = {.horizon = 1000, .causal = true};
  compare_all_forms(c);
}

TEST(Sweep, WideHeadsInLongerChunksEqualReference) {
  Case c;
  c.shape = {.B = 1, .Tq = 70, .Tk = 70, .H = 2, .G = 1, .K = 98, .V = 120};
  c.options = {.horizon = 100, .causal = true};
  c.states = c.decay = true;
  compare_all_forms(c);
}

TEST(Sweep, NonCausalSumsKeySegmentsInOrder) {
  Case c;
  c.shape = {.B = 1, .Tq = 20, .Tk = 5000, .H = 2, .G = 2, .K = 8, .V = 8};
  c.options = {.horizon = 5000};
  compare_all_forms(c);
}

TEST(Sweep, HorizonBeyondLengthFlattensTheWeights) {
  Case c;
  c.shape = {.B = 1, .Tq = 50, .Tk = 50, .H = 1, .G = 1, .K = 8, .V = 8};
  c.options = {.horizon = 1 << 20, .causal = true};
  compare_all_forms(c);
}

TEST(Sweep, ZerosAndDeadRowsEqualReference) {
  for (const bool causal : {true, false}) {
    for (const int64_t K : {3, 40}) {  // 40: whole vectors of a row too
      Case c;
      c.shape = {.B = 2, .Tq = 70, .Tk = 70, .H = 2, .G = 2, .K = K, .V = 4};
      c.options = {.horizon = 70, .causal = causal};
      c.values = Values::ties;
      compare_all_forms(c);
    }
  }
}

}  // namespace
}  // namespace cosformer::test
