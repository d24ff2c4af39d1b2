// What the public functions refuse, in float, bfloat16 and double: the line, and that all memory of the call
// is as before.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/good_call.h"

namespace cosformer::test {
namespace {

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max(), kHuge = kLargest / 4,
                  kSmallest = std::numeric_limits<int64_t>::min();
constexpr int64_t kOffsets[] = {0, 8, 20}, kLate[] = {1, 8, 20}, kFalling[] = {0, 21, 20},
                  kElsewhere[] = {0, 8, 19}, kOthers[] = {0, 9, 20};
constexpr bool kNone[40] = {}, kOne[40] = {false, true};
constexpr Rows kPadded{kOne, 20, 1, nullptr}, kWhole{kNone, 20, 1, nullptr};

constexpr Rows packed(const int64_t* cu_seqlens) {
  return {nullptr, 0, 0, cu_seqlens};
}

#define COSFORMER_CALL(Args, function)         \
  template <class T>                           \
  void call(const Args<T>& args) {             \
    if constexpr (std::is_same_v<T, double>) { \
      reference::function(args);               \
    } else {                                   \
      function(args);                          \
    }                                          \
  }
COSFORMER_CALL(AttentionForward, attention_forward)
COSFORMER_CALL(AttentionBackward, attention_backward)
COSFORMER_CALL(AttentionStep, attention_step)
COSFORMER_CALL(AttentionState, attention_state)
COSFORMER_CALL(AttentionStateBackward, attention_state_backward)
COSFORMER_CALL(AttentionRead, attention_read)
COSFORMER_CALL(AttentionReadBackward, attention_read_backward)
#undef COSFORMER_CALL

template <template <class> class Args, class T>
void refuses(const std::string& line, const auto& change) {
  GoodCall<T> good;
  auto args = good.template args<Args<T>>();
  if constexpr (std::is_same_v<Args<T>, AttentionStep<T>>) args.shape.Tq = args.shape.Tk = 1;
  if constexpr (requires { change(args, good); }) {
    change(args, good);
  } else {
    change(args);
  }
  const auto before = good.bits();
  try {
    call(args);
    ADD_FAILURE() << "taken: " << line << ", " << typeid(args).name();
  } catch (const ShapeError& error) {
    EXPECT_EQ(error.what(), "attention: " + line) << typeid(args).name();
  }
  EXPECT_EQ(good.bits(), before) << line << ", " << typeid(args).name();
}

/// Each of the functions refuses its good arguments after change(args) or change(args, good).
template <template <class> class... Args>
void refuse(const std::string& line, const auto& change) {
  (refuses<Args, float>(line, change), ...);
  (refuses<Args, bfloat16>(line, change), ...);
  (refuses<Args, double>(line, change), ...);
}
void refuse_in_passes(const std::string& line, const auto& change) {
  refuse<AttentionForward, AttentionBackward>(line, change);
}
void refuse_of_queries(const std::string& line, const auto& change) {
  refuse<AttentionForward, AttentionBackward, AttentionStep, AttentionRead, AttentionReadBackward>(line,
                                                                                                   change);
}
void refuse_of_keys(const std::string& line, const auto& change) {
  refuse<AttentionForward, AttentionBackward, AttentionStep, AttentionState, AttentionStateBackward>(line,
                                                                                                     change);
}
void refuse_of_states(const std::string& line, const auto& change) {
  refuse<AttentionState, AttentionStateBackward>(line, change);
}
void refuse_of_lengths(const std::string& line, const auto& change) {
  refuse<AttentionForward, AttentionBackward, AttentionState, AttentionStateBackward, AttentionRead,
         AttentionReadBackward>(line, change);
}
void refuse_in_all(const std::string& line, const auto& change) {
  refuse_of_lengths(line, change);
  refuse<AttentionStep>(line, change);
}

TEST(Refusals, Sizes) {
  refuse_in_all("B must be >= 0, got -1", [](auto& a) { a.shape.B = -1; });
  refuse_in_all("H must be >= 0, got -4", [](auto& a) { a.shape.H = -4; });
  refuse_in_all("G must be >= 0, got -2", [](auto& a) { a.shape.G = -2; });
  refuse_in_all("K must be >= 0, got -8", [](auto& a) { a.shape.K = -8; });
  refuse_in_all("V must be >= 0, got -12", [](auto& a) { a.shape.V = -12; });
  refuse_of_lengths("Tq must be >= 0, got -1", [](auto& a) { a.shape.Tq = -1; });
  refuse_of_lengths("Tk must be >= 0, got -1", [](auto& a) { a.shape.Tk = -1; });
  refuse_of_queries("H must be a multiple of G = 2, got H = 5", [](auto& a) { a.shape.H = 5; });
  refuse_of_queries("H must be a multiple of G = 0, got H = 4", [](auto& a) { a.shape.G = 0; });
  refuse_in_passes("causal needs as many queries as keys, got Tq = 20, Tk = 21",
                   [](auto& a) { a.shape.Tk = 21; });
  refuse<AttentionStep>("a step takes one token, expected Tq = Tk = 1, got Tq = 2, Tk = 1",
                        [](auto& a) { a.shape.Tq = 2; });
  refuse<AttentionStep>("a step takes one token, expected Tq = Tk = 1, got Tq = 1, Tk = 0",
                        [](auto& a) { a.shape.Tk = 0; });
}

TEST(Refusals, SizesThatOverflow) {
  const std::string line = " must have fewer elements than an int64_t counts bytes";
  refuse_of_queries("query" + line, [](auto& a) { a.shape.K = kHuge; });
  refuse_of_states("key" + line, [](auto& a) { a.shape.K = kHuge; });
  refuse_of_keys("value" + line, [](auto& a) { a.shape.V = kHuge; });
  const auto no_rows = [](auto& a) {
    a.shape.Tq = a.shape.Tk = 0;
    a.shape.K = a.shape.V = int64_t{1} << 40;
  };
  refuse<AttentionForward, AttentionBackward, AttentionState, AttentionRead, AttentionReadBackward>(
      "S" + line, no_rows);
  refuse<AttentionStateBackward>("dS" + line, no_rows);
  refuse_in_passes("S" + line, [&](auto& a) {  // which is made, though not given
    no_rows(a);
    a.S = a.z = nullptr;
  });
  refuse<AttentionForward, AttentionRead>("denominator" + line, [](auto& a) {
    a.shape.B = a.shape.Tq = a.shape.Tk = int64_t{1} << 31;
    a.shape.K = a.shape.V = 0;
    a.position = nullptr;
    a.options.horizon = {};
  });
}

TEST(Refusals, Options) {
  refuse_in_all("horizon must be >= 1 or none, got 0", [](auto& a) { a.options.horizon = 0; });
  refuse_in_all("horizon must be >= 1 or none, got -3", [](auto& a) { a.options.horizon = -3; });
  refuse_in_all("eps must be finite and > 0, got 0.000000", [](auto& a) { a.options.eps = 0; });
  refuse_in_all("eps must be finite and > 0, got -1.000000", [](auto& a) { a.options.eps = -1; });
  refuse_in_all("eps must be finite and > 0, got nan", [](auto& a) { a.options.eps = NAN; });
  refuse_in_all("eps must be finite and > 0, got inf", [](auto& a) { a.options.eps = INFINITY; });
  refuse_in_passes("decay needs causal", [](auto& a) { a.options.causal = false; });
  refuse_in_passes("a state needs causal", [](auto& a) {
    a.options.causal = false;
    a.decay = nullptr;
  });
}

TEST(Refusals, Positions) {
  refuse_in_all("position must be >= 0, got -1 in row 0",
                [](auto&, auto& good) { good.in.position[0] = -1; });
  refuse_of_lengths("position must stay below horizon = 64, got position 64 in row 1",
                    [](auto&, auto& good) { good.in.position[1] = 45; });
  refuse<AttentionStep>("position must stay below horizon = 64, got position 64 in row 1",
                        [](auto&, auto& good) { good.in.position[1] = 64; });
  refuse_of_lengths("position must stay below horizon = 64, got position 9223372036854775807 in row 1",
                    [](auto&, auto& good) { good.in.position[1] = kLargest; });
  refuse_of_lengths("position must stay below horizon = 19, got position 19", [](auto& a) {
    a.options.horizon = 19;
    a.position = nullptr;
  });
  refuse<AttentionStep>("position must not be null", [](auto& a) { a.position = nullptr; });
  refuse<AttentionForward, AttentionBackward>("position must stay below horizon = 3, got position 3 in row 1",
                                              [](auto& a) {
                                                a.options.horizon = 3;
                                                a.position = nullptr;
                                                static constexpr std::array<bool, 40> most = [] {
                                                  std::array<bool, 40> padding{};
                                                  for (size_t i = 0; i < 36; ++i) padding[i] = true;
                                                  return padding;
                                                }();
                                                a.query_rows = a.key_rows = {most.data(), 20, 1, nullptr};
                                              });
  refuse<AttentionForward, AttentionBackward, AttentionState, AttentionStateBackward>(
      "position must leave room for every row of the batch, got 9223372036854775802 in row 1",
      [](auto& a, auto& good) {
        static constexpr std::array<bool, 40> all = [] {
          std::array<bool, 40> padding{};
          padding.fill(true);
          return padding;
        }();
        a.key_rows = {all.data(), 20, 1, nullptr};
        if constexpr (requires { a.query_rows; }) a.query_rows = a.key_rows;
        good.in.position[1] = kLargest - 5;
      });
}

TEST(Refusals, Decay) {
  refuse_of_keys("decay must be finite and >= 0, got -1.000000 in group 1",
                 [](auto&, auto& good) { good.in.decay[1] = -1; });
  refuse_of_keys("decay must be finite and >= 0, got nan in group 0",
                 [](auto&, auto& good) { good.in.decay[0] = NAN; });
  refuse_of_keys("decay must be finite and >= 0, got inf in group 1",
                 [](auto&, auto& good) { good.in.decay[1] = INFINITY; });
}

TEST(Refusals, PackedRows) {
  const auto both = [](const int64_t* cu_seqlens) {
    return [=](auto& a) { a.query_rows = a.key_rows = packed(cu_seqlens); };
  };
  const auto keys = [](const int64_t* cu_seqlens) {
    return [=](auto& a) { a.key_rows = packed(cu_seqlens); };
  };
  refuse_in_passes("cu_seqlens_q must begin with 0, got 1", both(kLate));
  refuse_of_states("cu_seqlens_k must begin with 0, got 1", keys(kLate));
  refuse_in_passes("cu_seqlens_q must not decrease, got 21, 20 at 1", both(kFalling));
  refuse_of_states("cu_seqlens_k must not decrease, got 21, 20 at 1", keys(kFalling));
  refuse_in_passes("cu_seqlens_q must end with the number of rows, 20, got 19", both(kElsewhere));
  refuse_of_states("cu_seqlens_k must end with the number of rows, 20, got 19", keys(kElsewhere));
  refuse_in_passes("causal needs equal cu_seqlens, got 8 and 9 at 1", [](auto& a) {
    a.query_rows = packed(kOffsets);
    a.key_rows = packed(kOthers);
  });
  refuse_in_passes("causal needs queries packed as keys are", keys(kOffsets));
  refuse_in_passes("queries and keys must both be packed or neither", [](auto& a) {
    a.options.causal = false;
    a.decay = nullptr;
    a.key_rows = packed(kOffsets);
  });
}

TEST(Refusals, Padding) {
  const auto rows = [](const Rows& queries, const Rows& keys) {
    return [=](auto& a) {
      if constexpr (requires { a.query_rows; }) a.query_rows = queries;
      a.key_rows = keys;
    };
  };
  const Rows twice{kNone, 20, 1, kOffsets};
  refuse_in_passes("cu_seqlens_q: packed sequences take no padding mask", rows(twice, twice));
  refuse_of_states("cu_seqlens_k: packed sequences take no padding mask", rows({}, twice));
  refuse_in_passes("causal needs equal padding of queries and keys, got a difference in row 0, time 1",
                   rows(kPadded, kWhole));
  refuse_in_passes("causal needs equal padding of queries and keys, got a difference in row 0, time 1",
                   rows(kPadded, {}));
  const Rows backwards{kNone, kSmallest, 1, nullptr}, far{kNone, 20, kHuge, nullptr};
  refuse_in_passes("query padding has a stride that cannot be counted", rows(backwards, backwards));
  refuse_of_states("key padding must not reach further than an int64_t counts bytes", rows({}, far));
}

TEST(Refusals, NullPointers) {
  refuse_of_queries("query must not be null", [](auto& a) { a.query.data = nullptr; });
  refuse_of_keys("key must not be null", [](auto& a) { a.key.data = nullptr; });
  refuse_of_keys("value must not be null", [](auto& a) { a.value.data = nullptr; });
  refuse_of_queries("output must not be null", [](auto& a) { a.output.data = nullptr; });
  refuse<AttentionBackward, AttentionReadBackward>("denominator must not be null",
                                                   [](auto& a) { a.denominator = nullptr; });
  refuse<AttentionBackward, AttentionReadBackward>("d_output must not be null",
                                                   [](auto& a) { a.d_output.data = nullptr; });
  refuse<AttentionBackward, AttentionReadBackward>("d_query must not be null",
                                                   [](auto& a) { a.d_query.data = nullptr; });
  refuse<AttentionBackward, AttentionStateBackward>("d_key must not be null",
                                                    [](auto& a) { a.d_key.data = nullptr; });
  refuse<AttentionBackward, AttentionStateBackward>("d_value must not be null",
                                                    [](auto& a) { a.d_value.data = nullptr; });
  refuse<AttentionStep, AttentionState, AttentionRead, AttentionReadBackward>("S must not be null",
                                                                              [](auto& a) { a.S = nullptr; });
  refuse<AttentionStep, AttentionState, AttentionRead, AttentionReadBackward>("z must not be null",
                                                                              [](auto& a) { a.z = nullptr; });
  refuse_in_passes("expected S and z together, got S alone", [](auto& a) { a.z = nullptr; });
  refuse<AttentionForward>("expected S_out and z_out together, got z_out alone",
                           [](auto& a) { a.S_out = nullptr; });
  refuse<AttentionBackward>("expected dS_out and dz_out together, got dS_out alone",
                            [](auto& a) { a.dz_out = nullptr; });
  refuse<AttentionBackward, AttentionReadBackward>("expected dS and dz together, got dz alone",
                                                   [](auto& a) { a.dS = nullptr; });
  refuse<AttentionStateBackward>("expected dS and dz together, got dS alone", [](auto& a, auto& good) {
    a.dS = good.in.dS_out.data();
    a.dz = nullptr;
  });
}

TEST(Refusals, Strides) {
  const auto overlap = [](const std::string& name, int stride) {
    return name + " is a result whose elements must be distinct, got a stride of " + std::to_string(stride) +
           " over elements that reach " + std::to_string(stride);
  };
  refuse_of_queries("query must not reach further than an int64_t counts bytes",
                    [](auto& a) { a.query.batch_stride = kHuge; });
  refuse_of_queries("query has a stride that cannot be counted",
                    [](auto& a) { a.query.time_stride = kSmallest; });
  refuse_of_keys("value has a stride that cannot be counted",
                 [](auto& a) { a.value.head_stride = kSmallest; });
  refuse<AttentionForward, AttentionStep, AttentionRead>(overlap("output", 11),
                                                         [](auto& a) { a.output.head_stride = 11; });
  refuse<AttentionBackward, AttentionReadBackward>(overlap("d_query", 0),
                                                   [](auto& a) { a.d_query.time_stride = 0; });
  refuse<AttentionBackward, AttentionStateBackward>(overlap("d_key", 15),
                                                    [](auto& a) { a.d_key.time_stride = -15; });
  refuse<AttentionBackward, AttentionStateBackward>(overlap("d_value", 0),
                                                    [](auto& a) { a.d_value.batch_stride = 0; });
}

TEST(Refusals, FormsThatDoNotExist) {
  const Execution recurrent{.form = Form::recurrent};
  const auto line_of = [](const auto& function) -> std::string {
    try {
      function();
    } catch (const ShapeError& error) {
      return error.what();
    }
    return "";
  };
  GoodCall<float> good;
  auto forward = good.args<AttentionForward<float>>();
  forward.options.causal = false;
  forward.decay = nullptr;
  forward.S = forward.z = nullptr;
  forward.S_out = forward.z_out = nullptr;
  const auto backward = good.args<AttentionBackward<float>>();
  const auto before = good.bits();
  EXPECT_EQ(line_of([&] { attention_forward(forward, recurrent); }),
            "attention: the recurrent form needs causal");
  EXPECT_EQ(line_of([&] { attention_backward(backward, recurrent); }),
            "attention: the recurrent form has no backward pass");
  EXPECT_EQ(good.bits(), before);
}

TEST(Refusals, GoodCallsAreTaken) {
  const auto run = []<template <class> class Args, class T>(T) {
    GoodCall<T> good;
    auto args = good.template args<Args<T>>();
    if constexpr (std::is_same_v<Args<T>, AttentionStep<T>>) args.shape.Tq = args.shape.Tk = 1;
    EXPECT_NO_THROW(call(args)) << typeid(args).name();
  };
  const auto all = [&]<class T>(T type) {
    run.template operator()<AttentionForward>(type);
    run.template operator()<AttentionBackward>(type);
    run.template operator()<AttentionStep>(type);
    run.template operator()<AttentionState>(type);
    run.template operator()<AttentionStateBackward>(type);
    run.template operator()<AttentionRead>(type);
    run.template operator()<AttentionReadBackward>(type);
  };
  all(float{});
  all(bfloat16{});
  all(double{});
  // No tokens, no sequences, a state of every token that the horizon has.
  EXPECT_NO_THROW(attention_forward(AttentionForward<float>{.options = {.horizon = 1}}));
  GoodCall<float> good;
  good.in.position = {0, 44};
  EXPECT_NO_THROW(attention_forward(good.args<AttentionForward<float>>()));
}

}  // namespace
}  // namespace cosformer::test
