// What users rely on beyond closeness: causality, equal bits, cuts, stated without a tolerance where none is
// due.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/attention_case.h"
#include "kernels/under_test.h"

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
    const Inputs<float> in(c, false);
    for (const Isa isa : under_test::isas()) {
      for (const Form form : under_test::forms({Form::quadratic, Form::chunked})) {
        const Results one =
            run_kernels(c, in, {.isa = isa, .form = form, .parallel = serial_for, .width = 1});
        for (const int width : {2, 3, 8, 64}) {
          EXPECT_EQ(find_difference(run_kernels(c, in, {.isa = isa, .form = form, .width = width}), one), "")
              << width;
        }
      }
    }
  }
}

template <class T>
void expect_bits_of_one_thread(const Case& c) {
  const Inputs<T> in(c, sizeof(T) == 2);
  for (const Isa isa : under_test::isas()) {
    for (const Form form : under_test::forms({Form::quadratic, Form::chunked})) {
      const Results one = run_kernels(c, in, {.isa = isa, .form = form, .parallel = serial_for, .width = 1});
      for (const int width : {2, 3, 4, 6, 16}) {
        EXPECT_EQ(find_difference(run_kernels(c, in, {.isa = isa, .form = form, .width = width}), one), "")
            << name(isa) << ", width " << width << c.describe();
      }
    }
  }
}

// Fewer heads than threads: gradients of keys and values come from parts of a sweep.
TEST(Properties, ThreadsOfOneHeadNeverChangeBits) {
  for (const int64_t T : {0, 1, 203}) {
    for (const Padding padding : {Padding::none, Padding::holes}) {
      for (const bool more : {false, true}) {
        Case c = causal_case(T, 72, 96, 1);
        c.options.horizon = 300;
        c.shape.B = 1;
        c.padding = padding;
        c.states = c.decay = more;
        c.shape.H = more ? 3 : 1;  // for one of keys and values
        expect_bits_of_one_thread<float>(c);
        expect_bits_of_one_thread<bfloat16>(c);
      }
    }
  }
}

template <class T>
void expect_strides_never_change_bits() {
  for (const Isa isa : under_test::isas()) {
    for (const bool causal : {true, false}) {
      Case c = causal_case(77);
      c.options.causal = causal;
      const Results dense = run_kernels(c, Inputs<T>(c, sizeof(T) == 2), {.isa = isa});
      for (const Layout layout : {Layout::transposed, Layout::misaligned}) {
        c.layout = layout;
        EXPECT_EQ(find_difference(run_kernels(c, Inputs<T>(c, sizeof(T) == 2), {.isa = isa}), dense), "")
            << name(isa) << c.describe();
      }
    }
  }
}

template <class T>
void expect_streams_never_change_bits(const Case& c) {
  const Inputs<T> in(c, sizeof(T) == 2);
  for (const Isa isa : under_test::isas()) {
    for (const Form form : under_test::forms({Form::quadratic, Form::chunked})) {
      const auto run = [&](bool streams) {
        return run_kernels(c, in, {.isa = isa, .form = form, .width = 3, .streams = streams});
      };
      EXPECT_EQ(find_difference(run(true), run(false)), "") << name(isa) << c.describe();
    }
  }
}

TEST(Properties, StreamsNeverChangeBits) {
  for (const int64_t width : {16, 24, 32, 48, 64, 96}) {  // rows of whole lines and others
    for (const bool causal : {true, false}) {
      for (const Layout layout : {Layout::contiguous, Layout::transposed, Layout::misaligned}) {
        Case c = causal_case(71, width, 160 - width);
        c.options.causal = causal;
        c.layout = layout;
        c.padding = layout == Layout::contiguous ? Padding::holes : Padding::none;
        expect_streams_never_change_bits<float>(c);
        expect_streams_never_change_bits<bfloat16>(c);
      }
    }
  }
}

TEST(Properties, StridesNeverChangeBits) {
  expect_strides_never_change_bits<float>();
}
TEST(Properties, StridesNeverChangeBitsInBfloat16) {
  expect_strides_never_change_bits<bfloat16>();
}

template <class T>
void expect_future_never_reaches_the_past(int64_t V) {
  const T nan(std::numeric_limits<float>::quiet_NaN());
  for (const Isa isa : under_test::isas()) {
    for (const Form form : under_test::forms({Form::quadratic, Form::chunked, Form::recurrent})) {
      const Case c = causal_case(70, 16, V, 1);
      Inputs<T> in(c, true);
      const Execution execution{.isa = isa, .form = form};
      const Results before = run_kernels(c, in, execution);
      for (const int64_t cut : {0, 15, 16, 37, 68}) {
        Inputs<T> poisoned = in;
        for (int64_t b = 0; b < 2; ++b) {
          for (int64_t t = cut + 1; t < 70; ++t) {
            for (int64_t k = 0; k < 16; ++k)
              poisoned.query.at(b, t, 0, k) = poisoned.key.at(b, t, 0, k) = nan;
            for (int64_t v = 0; v < V; ++v) poisoned.value.at(b, t, 0, v) = nan;
          }
        }
        const Results after = run_kernels(c, poisoned, execution);
        for (int64_t b = 0; b < 2; ++b) {
          for (int64_t t = 0; t <= cut; ++t) {
            for (int64_t v = 0; v < V; ++v) {
              const auto i = static_cast<size_t>((b * 70 + t) * V + v);
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

TEST(Properties, FutureNeverReachesThePast) {
  expect_future_never_reaches_the_past<float>(33);
}
TEST(Properties, FutureNeverReachesThePastInBfloat16) {
  for (const int64_t V : {33, 40}) expect_future_never_reaches_the_past<bfloat16>(V);
}

TEST(Properties, GradientOfARowReachesItsPastAlone) {
  for (const Form form : under_test::forms({Form::quadratic, Form::chunked})) {
    const Case c = causal_case(50, 8, 8, 1);
    Inputs<float> in(c, false);
    in.d_output.fill([] { return 0.0F; });
    in.d_output.at(0, 30, 0, 2) = 1;
    const Results r = run_kernels(c, in, {.form = form});
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
  const Inputs<float> in(both, false);
  const Results together = run_kernels(both, in, {});
  for (int64_t b = 0; b < 2; ++b) {
    Case single = both;
    single.shape.B = 1;
    Inputs<float> part(single, false);
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
    const Results alone = run_kernels(single, part, {});
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
  Inputs<float> in(c, false);
  for (int64_t k = 0; k < 8; ++k) in.query.at(0, 5, 0, k) = -1;
  const Results r = run_kernels(c, in, {.form = Form::chunked});
  for (int64_t v = 0; v < 8; ++v) {
    EXPECT_EQ(r.output[static_cast<size_t>(5 * 8 + v)], 0);
    EXPECT_EQ(r.d_query[static_cast<size_t>(5 * 8 + v)], 0);
  }
}

/// What one sequence of a batch gives, row by row of its tokens.
std::vector<std::vector<double>> rows_of_tokens(const std::vector<double>& values, const TestRows& rows,
                                                int64_t b, int64_t width) {
  std::vector<std::vector<double>> out;
  const bool packed = !rows.cu_seqlens.empty();
  const int64_t first = packed ? rows.cu_seqlens[static_cast<size_t>(b)] : b * rows.T;
  const int64_t end = packed ? rows.cu_seqlens[static_cast<size_t>(b + 1)] : first + rows.T;
  for (int64_t row = first; row < end; ++row) {
    if (!rows.padding.empty() && rows.padding[static_cast<size_t>(row)] != 0) continue;
    out.emplace_back(values.begin() + row * width, values.begin() + (row + 1) * width);
  }
  return out;
}

/// Copies the tokens of `from` into those of `to`: the same sequences, padded in another way.
template <class T>
void copy_tokens(Tensor<T>& to, const TestRows& to_rows, const Tensor<T>& from, const TestRows& from_rows,
                 int64_t B, int64_t heads, int64_t width) {
  const auto places = [&](const TestRows& rows, int64_t b) {
    std::vector<std::pair<int64_t, int64_t>> out;
    if (!rows.cu_seqlens.empty()) {
      for (auto t = rows.cu_seqlens[static_cast<size_t>(b)]; t < rows.cu_seqlens[static_cast<size_t>(b + 1)];
           ++t) {
        out.emplace_back(0, t);
      }
      return out;
    }
    for (int64_t t = 0; t < rows.T; ++t) {
      if (rows.padding.empty() || rows.padding[static_cast<size_t>(b * rows.T + t)] == 0)
        out.emplace_back(b, t);
    }
    return out;
  };
  for (int64_t b = 0; b < B; ++b) {
    const auto source = places(from_rows, b), target = places(to_rows, b);
    ASSERT_EQ(source.size(), target.size());
    for (size_t i = 0; i < source.size(); ++i) {
      for (int64_t h = 0; h < heads; ++h) {
        for (int64_t c = 0; c < width; ++c) {
          to.at(target[i].first, target[i].second, h, c) = from.at(source[i].first, source[i].second, h, c);
        }
      }
    }
  }
}

/// The same sequences: padded on the right, on the left, and packed.
template <class T>
void expect_padding_never_changes_bits() {
  for (const bool causal : {true, false}) {
    for (const Isa isa : under_test::isas()) {
      Case c = causal_case(90, 24, 40, 4);
      c.shape.B = 3;
      c.shape.G = 2;
      c.options.causal = causal;
      c.padding = Padding::right;
      const Inputs<T> right(c, sizeof(T) == 2);
      const Results expected = run_kernels(c, right, {.isa = isa});
      for (const Padding padding : {Padding::left, Padding::packed}) {
        Case other = c;
        other.padding = padding;
        Inputs<T> in(other, sizeof(T) == 2);
        const auto copy = [&](Tensor<T> Inputs<T>::*tensor, TestRows Inputs<T>::*rows, int64_t heads,
                              int64_t width) {
          copy_tokens(in.*tensor, in.*rows, right.*tensor, right.*rows, 3, heads, width);
        };
        copy(&Inputs<T>::query, &Inputs<T>::query_rows, 4, 24);
        copy(&Inputs<T>::key, &Inputs<T>::key_rows, 2, 24);
        copy(&Inputs<T>::value, &Inputs<T>::key_rows, 2, 40);
        copy(&Inputs<T>::d_output, &Inputs<T>::query_rows, 4, 40);
        const Results actual = run_kernels(other, in, {.isa = isa});
        for (int64_t b = 0; b < 3; ++b) {
          const auto same = [&](std::vector<double> Results::*member, TestRows Inputs<T>::*rows,
                                int64_t width) {
            EXPECT_EQ(rows_of_tokens(actual.*member, in.*rows, b, width),
                      rows_of_tokens(expected.*member, right.*rows, b, width))
                << name(isa) << " padding " << static_cast<int>(padding) << " sequence " << b;
          };
          same(&Results::output, &Inputs<T>::query_rows, 4 * 40);
          same(&Results::d_query, &Inputs<T>::query_rows, 4 * 24);
          same(&Results::d_key, &Inputs<T>::key_rows, 2 * 24);
          same(&Results::d_value, &Inputs<T>::key_rows, 2 * 40);
        }
      }
    }
  }
}

TEST(Properties, PaddingNeverChangesBits) {
  expect_padding_never_changes_bits<float>();
}
TEST(Properties, PaddingNeverChangesBitsInBfloat16) {
  expect_padding_never_changes_bits<bfloat16>();
}

/// One of three packed sequences is NaN.
template <class T>
void expect_nan_stays_in_its_sequence() {
  constexpr int64_t kB = 3, kK = 16, kV = 40, kPoisoned = 1;
  for (const Isa isa : under_test::isas()) {
    for (const bool causal : {true, false}) {
      Case c = causal_case(100, kK, kV, 1);
      c.shape.B = kB;
      c.options.causal = causal;
      c.padding = Padding::packed;
      const Inputs<T> in(c, true);
      Inputs<T> poisoned = in;
      const auto poison = [&](Tensor<T>& tensor, const TestRows& rows, int64_t width) {
        for (int64_t t = rows.cu_seqlens[kPoisoned]; t < rows.cu_seqlens[kPoisoned + 1]; ++t) {
          for (int64_t i = 0; i < width; ++i) tensor.at(0, t, 0, i) = T(std::nanf(""));
        }
      };
      poison(poisoned.query, in.query_rows, kK);
      poison(poisoned.key, in.key_rows, kK);
      poison(poisoned.value, in.key_rows, kV);
      poison(poisoned.d_output, in.query_rows, kV);
      const Results before = run_kernels(c, in, {.isa = isa}), after = run_kernels(c, poisoned, {.isa = isa});
      for (const int64_t b : {kPoisoned - 1, kPoisoned + 1}) {
        const auto expect_same = [&](std::vector<double> Results::*member, const TestRows& rows,
                                     int64_t width) {
          EXPECT_TRUE(rows_of_tokens(after.*member, rows, b, width) ==
                      rows_of_tokens(before.*member, rows, b, width))
              << name(isa) << " sequence " << b;
        };
        expect_same(&Results::output, in.query_rows, kV);
        expect_same(&Results::d_query, in.query_rows, kK);
        expect_same(&Results::d_key, in.key_rows, kK);
        expect_same(&Results::d_value, in.key_rows, kV);
      }
    }
  }
}

TEST(Properties, NaNStaysInItsSequence) {
  expect_nan_stays_in_its_sequence<float>();
}
TEST(Properties, NaNStaysInItsSequenceInBfloat16) {
  expect_nan_stays_in_its_sequence<bfloat16>();
}

TEST(Properties, PaddedRowsGiveZero) {
  Case c = causal_case(40, 8, 8, 1);
  c.padding = Padding::holes;
  const Inputs<float> in(c, false);
  const Results r = run_kernels(c, in, {});
  for (size_t row = 0; row < in.query_rows.padding.size(); ++row) {
    for (size_t i = row * 8; in.query_rows.padding[row] != 0 && i < row * 8 + 8; ++i) {
      EXPECT_EQ(r.output[i], 0);
      EXPECT_EQ(r.d_query[i], 0);
      EXPECT_EQ(r.d_key[i], 0);
      EXPECT_EQ(r.d_value[i], 0);
    }
  }
}

}  // namespace
}  // namespace cosformer::test
