// What users rely on beyond closeness: causality, equal bits, cuts, stated without a tolerance where none is
// due.

#include <gtest/gtest.h>

#include <limits>

#include "kernels/attention_case.h"

namespace cosformer::test {
namespace {

Case causal_case(int64_t T, int64_t K = 24, int64_t V = 40, int64_t H = 3) {
  Case c;
  c.shape = {.B = 2, .Tq = T, .Tk = T, .H = H, .G = H, .K = K, .V = V};
  c.options = {.horizon = T, .causal = true};
  return c;
}

TEST(Properties, ThreadsNeverChangeBits) {
  for (const bool causal : {true, false}) {
    Case c = causal_case(200, 64, 96);
    c.options.causal = causal;
    for (const Isa isa : available_isas()) {
      for (const Form form : {Form::quadratic, Form::chunked}) {
        const Results one = run_float(c, {.isa = isa, .form = form, .parallel = serial_for, .width = 1});
        for (const int width : {2, 3, 8, 64}) {
          expect_same_bits(run_float(c, {.isa = isa, .form = form, .width = width}), one,
                           std::to_string(width));
        }
      }
    }
  }
}

TEST(Properties, StridesNeverChangeBits) {
  for (const bool causal : {true, false}) {
    Case c = causal_case(77);
    c.options.causal = causal;
    const Results dense = run_float(c, {});
    for (const Layout layout : {Layout::transposed, Layout::misaligned}) {
      c.layout = layout;
      expect_same_bits(run_float(c, {}), dense, c.describe());
    }
  }
}

TEST(Properties, FutureNeverReachesThePast) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Isa isa : available_isas()) {
    for (const Form form : {Form::quadratic, Form::chunked, Form::recurrent}) {
      const Case c = causal_case(70, 16, 33, 1);
      Inputs<float> in(c);
      const Execution execution{.isa = isa, .form = form};
      const Results before = run_float(c, in, execution);
      for (const int64_t cut : {0, 15, 16, 37, 68}) {
        Inputs<float> poisoned = in;
        for (int64_t b = 0; b < 2; ++b) {
          for (int64_t t = cut + 1; t < 70; ++t) {
            for (int64_t k = 0; k < 16; ++k)
              poisoned.query.at(b, t, 0, k) = poisoned.key.at(b, t, 0, k) = nan;
            for (int64_t v = 0; v < 33; ++v) poisoned.value.at(b, t, 0, v) = nan;
          }
        }
        const Results after = run_float(c, poisoned, execution);
        for (int64_t b = 0; b < 2; ++b) {
          for (int64_t t = 0; t <= cut; ++t) {
            for (int64_t v = 0; v < 33; ++v) {
              const auto i = static_cast<size_t>((b * 70 + t) * 33 + v);
              ASSERT_EQ(after.output[i], before.output[i]) << name(isa) << " cut " << cut << " row " << t;
            }
            for (int64_t k = 0; k < 16; ++k) {
              const auto i = static_cast<size_t>((b * 70 + t) * 16 + k);
              ASSERT_EQ(after.d_query[i], before.d_query[i]) << name(isa) << " cut " << cut << " row " << t;
            }
          }
        }
      }
    }
  }
}

TEST(Properties, GradientOfARowReachesItsPastAlone) {
  for (const Form form : {Form::quadratic, Form::chunked}) {
    const Case c = causal_case(50, 8, 8, 1);
    Inputs<float> in(c);
    in.d_output.fill([] { return 0.0F; });
    in.d_output.at(0, 30, 0, 2) = 1;
    const Results r = run_float(c, in, {.form = form});
    double reached = 0;
    for (int64_t b = 0; b < 2; ++b) {
      for (int64_t t = 0; t < 50; ++t) {
        for (int64_t k = 0; k < 8; ++k) {
          const auto i = static_cast<size_t>((b * 50 + t) * 8 + k);
          if (b == 1 || t != 30) {
            ASSERT_EQ(r.d_query[i], 0) << t;
          }
          if (b == 1 || t > 30) {
            ASSERT_EQ(r.d_key[i], 0) << t;
            ASSERT_EQ(r.d_value[i], 0) << t;
          } else {
            reached += std::abs(r.d_key[i]) + std::abs(r.d_value[i]);
          }
        }
      }
    }
    EXPECT_GT(reached, 0);
  }
}

TEST(Properties, AloneOrInABatchGivesTheSameBits) {
  const Case both = causal_case(90);
  const Inputs<float> in(both);
  const Results together = run_float(both, in, {});
  for (int64_t b = 0; b < 2; ++b) {
    Case single = both;
    single.shape.B = 1;
    Inputs<float> part(single);
    int64_t t = 0, h = 0, k = 0;
    const auto copy = [&](Tensor<float>& to, const Tensor<float>& from, int64_t width) {
      t = h = k = 0;
      to.fill([&] {
        const float x = from.at(b, t, h, k);
        if (++k == width) {
          k = 0;
          if (++h == 3) {
            h = 0;
            ++t;
          }
        }
        return x;
      });
    };
    copy(part.query, in.query, 24);
    copy(part.key, in.key, 24);
    copy(part.value, in.value, 40);
    copy(part.d_output, in.d_output, 40);
    const Results alone = run_float(single, part, {});
    for (const auto& [name, member] : result_members()) {
      const auto& whole = together.*member;
      const auto& one = alone.*member;
      for (size_t i = 0; i < one.size(); ++i)
        ASSERT_EQ(one[i], whole[i + static_cast<size_t>(b) * one.size()]) << name;
    }
  }
}

TEST(Properties, NaNAndDeadRowsStayWhereTheyAre) {
  Case c = causal_case(40, 8, 8, 1);
  Inputs<float> in(c);
  for (int64_t k = 0; k < 8; ++k) in.query.at(0, 5, 0, k) = -1;
  const Results r = run_float(c, in, {.form = Form::chunked});
  for (int64_t v = 0; v < 8; ++v) {
    EXPECT_EQ(r.output[static_cast<size_t>(5 * 8 + v)], 0);
    EXPECT_EQ(r.d_query[static_cast<size_t>(5 * 8 + v)], 0);
  }
}

}  // namespace
}  // namespace cosformer::test
