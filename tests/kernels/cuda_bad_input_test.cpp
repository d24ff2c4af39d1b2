// Calls that a GPU's functions refuse, and that nothing is written then.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cosformer/cuda.h"
#include "kernels/attention_case.h"
#include "kernels/device_copy.h"

namespace cosformer::test {
namespace {

struct Refusal {
  std::string line;  ///< empty: the call went through
  int pieces = 0;    ///< of scratch memory that were asked for
};

/// Calls with copies on the device, with so many pieces of scratch memory and no more.
template <class Args, class Function>
Refusal call_with(int served, const Args& args, const Function& function) {
  DeviceCopies copies;
  const Args there = copy_to_device(args, copies);
  Refusal refusal;
  const auto scratch = [&](size_t bytes) {
    return ++refusal.pieces <= served ? copies.scratch(bytes) : nullptr;
  };
  try {
    function(there, cuda::Execution{.scratch = scratch, .width = 1000});
  } catch (const OutOfMemory& error) {
    refusal.line = error.what();
  }
  copies.bring_back();
  return refusal;
}

/// Padding to clear, several segments, states in and out.
Case needy_case(bool causal) {
  Case c;
  c.shape = {.B = 2, .Tq = 300, .Tk = 300, .H = 2, .G = 1, .K = 8, .V = 8};
  c.options = {.horizon = 400, .causal = causal};
  c.states = c.decay = causal;
  c.padding = Padding::right;
  return c;
}

bool all_nan(const std::vector<double>& numbers) {
  return std::ranges::all_of(numbers, [](double x) { return std::isnan(x); });
}

TEST(OutOfMemory, IsSaidBeforeAnythingIsWritten) {
  for (const bool causal : {true, false}) {
    const Case c = needy_case(causal);
    const Inputs<float> inputs(c, false);
    int refused = 0;
    for (int served = 0;; ++served) {
      Refusal forward, backward;
      const Results results = run<float>(
          c, inputs,
          [&](const auto& a) {
            forward = call_with(served, a, [](const auto&... args) { cuda::attention_forward(args...); });
          },
          [&](const auto& a) {
            backward = call_with(served, a, [](const auto&... args) { cuda::attention_backward(args...); });
          });
      if (!forward.line.empty()) {
        EXPECT_TRUE(all_nan(results.output) && all_nan(results.S) && all_nan(results.z))
            << served << " pieces, causal " << causal;
      }
      if (!backward.line.empty()) {
        EXPECT_TRUE(all_nan(results.d_query) && all_nan(results.d_key) && all_nan(results.d_value) &&
                    all_nan(results.dS) && all_nan(results.dz))
            << served << " pieces, causal " << causal;
      }
      if (served == 0) {
        EXPECT_EQ(
            forward.line,
            "attention: out of memory: expected 2400 bytes for B = 2, Tq = 300, Tk = 300, H = 2, G = 1, "
            "K = 8, V = 8 beside the tensors, got none");
      }
      if (forward.line.empty() && backward.line.empty()) break;
      ++refused;
    }
    EXPECT_GE(refused, 6) << "pieces that the gradients need, causal " << causal;
  }
}

TEST(OutOfMemory, OfStatesAndReadsToo) {
  constexpr int64_t kT = 40, kK = 8;
  std::vector<float> rows(kT * kK, 0.5F), out(kT * kK, NAN), S(kK * kK, NAN), z(kK, NAN);
  const View<const float> in{rows.data(), kT * kK, kK, kK};
  const AttentionShape shape{1, kT, kT, 1, 1, kK, kK};
  const AttentionState<float> state{.shape = shape, .key = in, .value = in, .S = S.data(), .z = z.data()};
  const Refusal of_state = call_with(0, state, [](const auto&... args) { cuda::attention_state(args...); });
  EXPECT_NE(of_state.line.find("out of memory"), std::string::npos);
  for (const float x : S) EXPECT_TRUE(std::isnan(x));
  const std::vector<float> some(kK * kK, 1.0F), denominator(kT, 1.0F);
  AttentionReadBackward<float> read{.shape = shape, .query = in, .S = some.data(), .z = some.data()};
  read.output = read.d_output = in;
  read.denominator = denominator.data();
  read.d_query = {out.data(), kT * kK, kK, kK};
  read.dS = S.data();
  read.dz = z.data();
  for (const int served : {0, 1, 2, 3}) {
    const Refusal of_read =
        call_with(served, read, [](const auto&... args) { cuda::attention_read_backward(args...); });
    EXPECT_NE(of_read.line.find("out of memory"), std::string::npos) << served;
  }
  for (const float x : out) EXPECT_TRUE(std::isnan(x));
  for (const float x : S) EXPECT_TRUE(std::isnan(x));
}

/// A call of one token whose arguments are good.
AttentionForward<float> good_call(const float* in, float* out) {
  AttentionForward<float> args{.shape = {1, 1, 1, 1, 1, 1, 1}, .options = {.causal = true}};
  args.query = args.key = args.value = {in, 1, 1, 1};
  args.output = {out, 1, 1, 1};
  return args;
}

template <class Change>
std::string line_of(const Change& change) {
  float in[4] = {}, out[4] = {NAN, NAN, NAN, NAN};
  auto args = good_call(in, out);
  cuda::Execution execution;
  change(args, execution);
  try {
    cuda::attention_forward(args, execution);
  } catch (const std::exception& error) {
    for (const float x : out) EXPECT_TRUE(std::isnan(x));
    return error.what();
  }
  return "";
}

constexpr int64_t kMany = int64_t{1} << 31;

TEST(Limits, AreNamed) {
  EXPECT_EQ(line_of([](auto& a, auto&) { a.shape.K = 257; }),
            "attention: K must be at most 256 on a GPU, got 257");
  EXPECT_EQ(line_of([](auto& a, auto&) {
              a.shape.V = 1000;
              a.output = {a.output.data, 1000, 1000, 1000};
            }),
            "attention: V must be at most 256 on a GPU, got 1000");
  EXPECT_EQ(line_of([](auto& a, auto&) { a.shape.Tq = a.shape.Tk = kMany; }),
            "attention: Tq must be below 2^31 on a GPU, got 2147483648");
  EXPECT_EQ(line_of([](auto& a, auto&) { a.shape.H = a.shape.G = kMany; }),
            "attention: H must be below 2^31 on a GPU, got 2147483648");
  EXPECT_EQ(line_of([](auto& a, auto&) { a.shape.B = kMany; }),
            "attention: needs 2147483648 blocks of threads, more than a GPU takes");
}

TEST(Limits, ElementsBeginAtMultiplesOfTheirSize) {
  const auto beside = [](auto* place) {
    return reinterpret_cast<decltype(place)>(reinterpret_cast<uintptr_t>(place) + 2);
  };
  EXPECT_EQ(line_of([&](auto& a, auto&) { a.key.data = beside(a.key.data); }),
            "attention: key must begin at a multiple of 4 bytes on a GPU");
  EXPECT_EQ(line_of([&](auto& a, auto&) { a.output.data = beside(a.output.data); }),
            "attention: output must begin at a multiple of 4 bytes on a GPU");
  EXPECT_EQ(line_of([&](auto& a, auto&) { a.position = beside(reinterpret_cast<const int64_t*>(8)); }),
            "attention: position must begin at a multiple of 8 bytes on a GPU");
}

TEST(Limits, DevicesAndArchitecturesAreChecked) {
  const std::string other = line_of([](auto&, auto& execution) { execution.device = 99; });
  EXPECT_EQ(other.rfind("attention: expected a GPU below ", 0), 0) << other;
  const std::string old = line_of([](auto&, auto& execution) { execution.architecture = 75; });
  EXPECT_EQ(
      old.rfind("attention: architecture must be 0, 80, or 90 on a GPU of compute capability 9.0, got 75", 0),
      0)
      << old;
}

}  // namespace
}  // namespace cosformer::test
