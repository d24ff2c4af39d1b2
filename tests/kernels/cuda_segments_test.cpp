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

TEST(Segments, SequencesAreSplitSoThatProcessorsAreBusy) {
  constexpr int64_t kProcessors = 132;
  struct Expected {
    int64_t blocks, segments, segments_a_block;
    bool cut;
  };
  // Of K = V = 128 in bfloat16: heads times two slices, and the three sweeps of a gradient together.
  for (const auto& e :
       {Expected{192, 2, 1, false},  // 1 x 8,192 tokens, 96 heads: 3 rounds of half, not 2
        Expected{3 * 192, 2, 1, false}, Expected{64, 4, 1, true},   // 2 x 16,384 tokens, 16 heads
        Expected{3 * 64, 4, 2, false}, Expected{512, 1, 1, false},  // 4 x 4,096 tokens, 64 heads
        Expected{256, 1, 1, false},     // 8 x 2,048 tokens, 32 heads of K = V = 64
        Expected{264, 8, 8, false},     // two full rounds as they are
        Expected{192, 16, 8, false},    // halves do as well as sixteenths
        Expected{128, 2, 2, false}}) {  // a pass of sums would cost more than four idle ones
    const auto split = cuda::split_sweep(e.blocks, e.blocks, e.segments, kProcessors, true);
    EXPECT_EQ(split.cut, e.cut) << e.blocks << " blocks of " << e.segments << " segments";
    EXPECT_EQ(split.segments_a_block, e.segments_a_block) << e.blocks << " blocks of " << e.segments;
  }
  EXPECT_EQ(cuda::split_sweep(192, 192, 16, kProcessors, false).segments_a_block, 16) << "packed";
  EXPECT_TRUE(cuda::split_sweep(128, 128, 16, kProcessors, false).cut) << "packed, few heads";
}

TEST(Segments, OnlyBlocksOfEarlierLaunchesAreWaitedFor) {
  for (int64_t processors = 1; processors <= 132; processors += 13) {
    for (int64_t blocks = 1; blocks <= 600; blocks += 7) {
      for (const int64_t segments : {1, 2, 3, 8, 31}) {
        const auto split = cuda::split_sweep(blocks, blocks, segments, processors, true);
        const bool in_turn = split.segments_a_block < segments && !split.cut;
        // Block n goes on where block n - blocks ended, and a launch has a block a processor.
        EXPECT_TRUE(!in_turn || blocks >= processors) << blocks << " blocks on " << processors;
        EXPECT_TRUE(!split.cut || (blocks < processors && segments > 1)) << blocks << " on " << processors;
      }
    }
  }
}

template <class T>
void expect_bits_of_uncut_sequences(const Case& c, int architecture) {
  const Inputs<T> inputs(c, true);
  const auto on = [&](int processors) {
    return run_on_device(c, inputs, {.width = processors, .architecture = architecture});
  };
  const Results whole = on(1), cut = on(1000);
  EXPECT_EQ(find_difference(cut, whole), "") << "cut, " << architecture << " " << c.describe();
  EXPECT_EQ(find_difference(on(3), whole), "") << "in turn, " << architecture << " " << c.describe();
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
  for (const int64_t sums : {2, 4}) ASSERT_EQ(cuda::split_sweep(4, sums, 3, 3, true).segments_a_block, 1);
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
