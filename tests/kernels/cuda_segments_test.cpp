// States of sequences that are cut: how many bytes they move, and that a call asks for them alone.

#include <gtest/gtest.h>

#include <type_traits>

#include "kernels/cuda/segments.h"
#include "kernels/device_run.h"

namespace cosformer::test {
namespace {

constexpr double kMost = 0.15;

TEST(Segments, StatesMoveLessThanAllowedWhateverTheShape) {
  for (const int64_t length : {4096, 4097, 6000, 8192, 8193, 16384, 16385, 65536, 100001}) {
    for (const int64_t groups : {1, 2, 8}) {
      for (int64_t K = 1; K <= 256; ++K) {
        for (int64_t V = 1; V <= 256; ++V) {
          const AttentionShape shape{3, length, length, 8, groups, K, V};
          const double share = cuda::cut_traffic(shape, 2, sizeof(bfloat16)).share();
          ASSERT_LT(share, kMost) << length << " tokens, G = " << groups << ", K = " << K << ", V = " << V;
        }
      }
    }
  }
}

TEST(Segments, BytesOfStatesAreCounted) {
  const auto traffic_of = [](int64_t length) {
    return cuda::cut_traffic({1, length, length, 2, 2, 128, 128}, 2, sizeof(bfloat16));
  };
  EXPECT_EQ(traffic_of(4096).states, 0) << "one segment";
  // Of one cut and two heads: written, read and written, read.
  EXPECT_EQ(traffic_of(4097).states, 2 * 4 * (2 * 128 * 129 * 4));
  EXPECT_EQ(traffic_of(4097).rows, int64_t{4097} * 2 * (4 * 128) * 2);
  EXPECT_NEAR(traffic_of(4097).share(), 0.126, 0.001);
  EXPECT_NEAR(traffic_of(8193).share(), 0.126, 0.001);
}

/// Bytes of scratch memory that a causal call asks for, with and without a state that it leaves.
size_t scratch_bytes(const Case& c, int width) {
  const Inputs<float> inputs(c, false);
  size_t bytes = 0;
  run<float>(
      c, inputs,
      [&](const auto& a) {
        DeviceCopies copies;
        const auto there = copy_to_device(a, copies);
        cuda::attention_forward(there, {.scratch =
                                            [&](size_t more) {
                                              bytes += more;
                                              return copies.scratch(more);
                                            },
                                        .width = width});
        copies.bring_back();
      },
      [](const auto&) {});
  return bytes;
}

TEST(Segments, AStateACutIsAllThatACallKeeps) {
  for (const bool states : {false, true}) {
    for (const int64_t length : {256, 257, 600}) {
      Case c;
      c.shape = {.B = 2, .Tq = length, .Tk = length, .H = 3, .G = 3, .K = 8, .V = 8};
      c.options = {.horizon = 700, .causal = true};
      c.states = states;
      const auto moved = static_cast<size_t>(cuda::cut_traffic(c.shape, 2, sizeof(float)).states);
      EXPECT_EQ(scratch_bytes(c, 1000), moved / 4) << length << " tokens, states " << states;
      EXPECT_EQ(scratch_bytes(c, 1), 0) << length << " tokens, not cut";
    }
  }
}

template <class T>
void expect_bits_of_uncut_sequences(const Case& c, int architecture) {
  const Inputs<T> inputs(c, true);
  const Results whole = run_on_device(c, inputs, {.width = 1, .architecture = architecture});
  const Results cut = run_on_device(c, inputs, {.width = 1000, .architecture = architecture});
  EXPECT_EQ(find_difference(cut, whole), "") << architecture << " " << c.describe();
  if constexpr (std::is_same_v<T, float>) {
    const Inputs<double> exact(c, true);
    const Results expected = run_reference(c, exact);
    EXPECT_EQ(
        find_error(cut, expected, rounding_scale(c, exact, expected), run_plain(c, inputs), Allowance{}), "")
        << c.describe();
  }
}

TEST(Segments, CutsNeverChangeBits) {
  ASSERT_EQ(cuda::segment_length(8, 8), 256);
  for (const Padding padding : {Padding::none, Padding::right, Padding::holes, Padding::packed}) {
    for (const bool states : {false, true}) {
      Case c;
      c.shape = {.B = 2, .Tq = 520, .Tk = 520, .H = 2, .G = 1, .K = 8, .V = 8};
      c.options = {.horizon = 700, .causal = true, .normalize = padding != Padding::right};
      c.states = c.decay = states;
      c.padding = padding;
      expect_bits_of_uncut_sequences<float>(c, 80);
      expect_bits_of_uncut_sequences<bfloat16>(c, 80);
      if (is_hopper()) expect_bits_of_uncut_sequences<bfloat16>(c, 90);
    }
  }
}

}  // namespace
}  // namespace cosformer::test
