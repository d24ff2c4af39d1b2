// What the functions of the C interface refuse: the line, and that all memory of the call is as before.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/good_call.h"

namespace cosformer::test {
namespace {

using Good = GoodCall<float>;

struct Refusal {
  std::vector<std::string_view> functions;
  const char* line;  ///< without "attention: "
  std::function<void(Good&, cosformer_call&)> change;
};

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max(), kHuge = kLargest / 4,
                  kSmallest = std::numeric_limits<int64_t>::min();
constexpr int64_t kOffsets[] = {0, 8, 20}, kLate[] = {1, 8, 20}, kFalling[] = {0, 21, 20},
                  kElsewhere[] = {0, 8, 19}, kOthers[] = {0, 9, 20};
constexpr bool kNone[40] = {}, kOne[40] = {false, true};
constexpr cosformer_rows kPadded{kOne, 20, 1, nullptr}, kWhole{kNone, 20, 1, nullptr};

cosformer_rows packed(const int64_t* cu_seqlens) {
  return {nullptr, 0, 0, cu_seqlens};
}

void set_rows(cosformer_call& c, const cosformer_rows& rows) {
  c.query_rows = c.key_rows = rows;
}

/// Neither causal nor what needs it.
void set_dense(cosformer_call& c) {
  c.causal = false;
  c.decay = nullptr;
  c.S = c.z = c.dS_out = c.dz_out = nullptr;
  c.S_out = c.z_out = c.dS = c.dz = nullptr;
}

std::vector<Refusal> refusals() {
  const std::vector<std::string_view> all = {"forward",        "backward", "step",         "state",
                                             "state_backward", "read",     "read_backward"},
                                      passes = {"forward", "backward"},
                                      of_states = {"state", "state_backward"},
                                      of_queries = {"forward", "backward", "step", "read", "read_backward"},
                                      of_keys = {"forward", "backward", "step", "state", "state_backward"},
                                      of_rows = {"forward", "backward", "state", "state_backward"},
                                      of_positions = {"forward",        "backward", "state",
                                                      "state_backward", "read",     "read_backward"};
  constexpr const char* kOverlap =
      "output is a result whose elements must be distinct, got a stride of 11 over elements that reach 11";
  return {
      // the struct
      {all, "size must be sizeof(cosformer_call), got 8", [](auto&, auto& c) { c.size = 8; }},
      {all, "dtype must be one of cosformer_dtype, got 9", [](auto&, auto& c) { c.dtype = 9; }},
      {all, "dtype COSFORMER_FLOAT16 needs device COSFORMER_CUDA, got COSFORMER_CPU",
       [](auto&, auto& c) { c.dtype = COSFORMER_FLOAT16; }},
      {all, "device must be one of cosformer_device, got 5", [](auto&, auto& c) { c.device = 5; }},
      {all, "feature_map must be COSFORMER_RELU or COSFORMER_IDENTITY, got 7",
       [](auto&, auto& c) { c.feature_map = 7; }},
      {{"read", "read_backward", "step"},
       "query_rows must be empty: this function takes every row",
       [](auto&, auto& c) { c.query_rows = kPadded; }},
      {{"step"},
       "key_rows must be empty: this function takes every row",
       [](auto&, auto& c) { c.key_rows = packed(kOffsets); }},
      // sizes
      {all, "B must be >= 0, got -1", [](auto&, auto& c) { c.B = -1; }},
      {all, "H must be >= 0, got -4", [](auto&, auto& c) { c.H = -4; }},
      {all, "G must be >= 0, got -2", [](auto&, auto& c) { c.G = -2; }},
      {all, "K must be >= 0, got -8", [](auto&, auto& c) { c.K = -8; }},
      {all, "V must be >= 0, got -12", [](auto&, auto& c) { c.V = -12; }},
      {of_positions, "Tq must be >= 0, got -1", [](auto&, auto& c) { c.Tq = -1; }},
      {of_positions, "Tk must be >= 0, got -1", [](auto&, auto& c) { c.Tk = -1; }},
      {{"step"},
       "a step takes one token, expected Tq = Tk = 1, got Tq = 2, Tk = 1",
       [](auto&, auto& c) { c.Tq = 2; }},
      {{"step"},
       "a step takes one token, expected Tq = Tk = 1, got Tq = 1, Tk = 0",
       [](auto&, auto& c) { c.Tk = 0; }},
      {of_queries, "H must be a multiple of G = 2, got H = 5", [](auto&, auto& c) { c.H = 5; }},
      {of_queries, "H must be a multiple of G = 0, got H = 4", [](auto&, auto& c) { c.G = 0; }},
      {passes, "causal needs as many queries as keys, got Tq = 19, Tk = 20",
       [](auto&, auto& c) { c.Tq = 19; }},
      {of_queries, "query must have fewer elements than an int64_t counts bytes",
       [](auto&, auto& c) { c.K = kHuge; }},
      {of_states, "key must have fewer elements than an int64_t counts bytes",
       [](auto&, auto& c) { c.K = kHuge; }},
      {of_keys, "value must have fewer elements than an int64_t counts bytes",
       [](auto&, auto& c) { c.V = kHuge; }},
      {{"forward", "backward", "state", "read", "read_backward"},
       "S must have fewer elements than an int64_t counts bytes",
       [](auto&, auto& c) {
         c.Tq = c.Tk = 0;
         c.K = c.V = int64_t{1} << 40;
       }},
      {passes, "S must have fewer elements than an int64_t counts bytes",
       [](auto&, auto& c) {
         c.Tq = c.Tk = 0;
         c.K = c.V = int64_t{1} << 40;
         c.S = c.z = nullptr;  // made, though not given
       }},
      {{"state_backward"},
       "dS must have fewer elements than an int64_t counts bytes",
       [](auto&, auto& c) {
         c.Tk = 0;
         c.K = c.V = int64_t{1} << 40;
       }},
      // options
      {all, "horizon must be >= 1 or 0 for none, got -2", [](auto&, auto& c) { c.horizon = -2; }},
      {all, "eps must be finite and > 0, got -1.000000", [](auto&, auto& c) { c.eps = -1; }},
      {all, "eps must be finite and > 0, got inf", [](auto&, auto& c) { c.eps = INFINITY; }},
      {all, "eps must be finite and > 0, got nan", [](auto&, auto& c) { c.eps = NAN; }},
      {passes, "decay needs causal", [](auto&, auto& c) { c.causal = false; }},
      {passes, "a state needs causal",
       [](auto&, auto& c) {
         c.causal = false;
         c.decay = nullptr;
       }},
      // values
      {of_keys, "decay must be finite and >= 0, got -1.000000 in group 1",
       [](auto& good, auto&) { good.in.decay[1] = -1; }},
      {of_keys, "decay must be finite and >= 0, got nan in group 0",
       [](auto& good, auto&) { good.in.decay[0] = NAN; }},
      {of_keys, "decay must be finite and >= 0, got inf in group 1",
       [](auto& good, auto&) { good.in.decay[1] = INFINITY; }},
      {all, "position must be >= 0, got -1 in row 0", [](auto& good, auto&) { good.in.position[0] = -1; }},
      {of_positions, "position must stay below horizon = 64, got position 64 in row 1",
       [](auto& good, auto&) { good.in.position[1] = 45; }},
      {{"step"},
       "position must stay below horizon = 64, got position 64 in row 1",
       [](auto& good, auto&) { good.in.position[1] = 64; }},
      {of_positions, "position must stay below horizon = 19, got position 19",
       [](auto&, auto& c) {
         c.horizon = 19;
         c.position = nullptr;
       }},
      {of_rows, "position must leave room for every row of the batch, got 9223372036854775802 in row 1",
       [](auto& good, auto& c) {
         static constexpr std::array<bool, 40> all_true = [] {
           std::array<bool, 40> a{};
           a.fill(true);
           return a;
         }();
         set_rows(c, {all_true.data(), 20, 1, nullptr});
         good.in.position[1] = kLargest - 5;
       }},
      // rows
      {passes, "cu_seqlens_q must begin with 0, got 1", [](auto&, auto& c) { set_rows(c, packed(kLate)); }},
      {passes, "cu_seqlens_q must not decrease, got 21, 20 at 1",
       [](auto&, auto& c) { set_rows(c, packed(kFalling)); }},
      {passes, "cu_seqlens_q must end with the number of rows, 20, got 19",
       [](auto&, auto& c) { set_rows(c, packed(kElsewhere)); }},
      {of_states, "cu_seqlens_k must begin with 0, got 1",
       [](auto&, auto& c) { set_rows(c, packed(kLate)); }},
      {of_states, "cu_seqlens_k must not decrease, got 21, 20 at 1",
       [](auto&, auto& c) { set_rows(c, packed(kFalling)); }},
      {of_states, "cu_seqlens_k must end with the number of rows, 20, got 19",
       [](auto&, auto& c) { set_rows(c, packed(kElsewhere)); }},
      {passes, "causal needs equal cu_seqlens, got 8 and 9 at 1",
       [](auto&, auto& c) {
         c.query_rows = packed(kOffsets);
         c.key_rows = packed(kOthers);
       }},
      {passes, "causal needs queries packed as keys are",
       [](auto&, auto& c) { c.query_rows = packed(kOffsets); }},
      {passes, "queries and keys must both be packed or neither",
       [](auto&, auto& c) {
         set_dense(c);
         c.key_rows = packed(kOffsets);
       }},
      {passes, "cu_seqlens_q: packed sequences take no padding mask",
       [](auto&, auto& c) {
         set_rows(c, {kNone, 20, 1, kOffsets});
       }},
      {of_states, "cu_seqlens_k: packed sequences take no padding mask",
       [](auto&, auto& c) {
         set_rows(c, {kNone, 20, 1, kOffsets});
       }},
      {passes, "causal needs equal padding of queries and keys, got a difference in row 0, time 1",
       [](auto&, auto& c) {
         c.query_rows = kPadded;
         c.key_rows = kWhole;
       }},
      {passes, "query padding has a stride that cannot be counted",
       [](auto&, auto& c) {
         set_rows(c, {kNone, kSmallest, 1, nullptr});
       }},
      {of_states, "key padding must not reach further than an int64_t counts bytes",
       [](auto&, auto& c) {
         set_rows(c, {kNone, 20, kHuge, nullptr});
       }},
      // pointers
      {of_queries, "query must not be null", [](auto&, auto& c) { c.query.data = nullptr; }},
      {of_keys, "key must not be null", [](auto&, auto& c) { c.key.data = nullptr; }},
      {of_keys, "value must not be null", [](auto&, auto& c) { c.value.data = nullptr; }},
      {of_queries, "output must not be null", [](auto&, auto& c) { c.output.data = nullptr; }},
      {{"backward", "read_backward"},
       "d_output must not be null",
       [](auto&, auto& c) { c.d_output.data = nullptr; }},
      {{"backward", "read_backward"},
       "denominator must not be null",
       [](auto&, auto& c) { c.denominator = nullptr; }},
      {{"backward", "read_backward"},
       "d_query must not be null",
       [](auto&, auto& c) { c.d_query.data = nullptr; }},
      {{"backward", "state_backward"},
       "d_key must not be null",
       [](auto&, auto& c) { c.d_key.data = nullptr; }},
      {{"backward", "state_backward"},
       "d_value must not be null",
       [](auto&, auto& c) { c.d_value.data = nullptr; }},
      {{"step", "state"}, "S_out must not be null", [](auto&, auto& c) { c.S_out = nullptr; }},
      {{"step", "state"}, "z_out must not be null", [](auto&, auto& c) { c.z_out = nullptr; }},
      {{"read", "read_backward"}, "S must not be null", [](auto&, auto& c) { c.S = nullptr; }},
      {{"read", "read_backward"}, "z must not be null", [](auto&, auto& c) { c.z = nullptr; }},
      {passes, "expected S and z together, got S alone", [](auto&, auto& c) { c.z = nullptr; }},
      {{"forward"},
       "expected S_out and z_out together, got z_out alone",
       [](auto&, auto& c) { c.S_out = nullptr; }},
      {{"backward", "state_backward"},
       "expected dS_out and dz_out together, got dS_out alone",
       [](auto&, auto& c) { c.dz_out = nullptr; }},
      {{"backward", "read_backward"},
       "expected dS and dz together, got dz alone",
       [](auto&, auto& c) { c.dS = nullptr; }},
      // strides
      {of_queries, "query must not reach further than an int64_t counts bytes",
       [](auto&, auto& c) { c.query.batch_stride = kHuge; }},
      {of_queries, "query has a stride that cannot be counted",
       [](auto&, auto& c) { c.query.time_stride = kSmallest; }},
      {of_keys, "value has a stride that cannot be counted",
       [](auto&, auto& c) { c.value.head_stride = kSmallest; }},
      {{"forward", "step", "read"}, kOverlap, [](auto&, auto& c) { c.output.head_stride = 11; }},
      {{"backward", "read_backward"},
       "d_query is a result whose elements must be distinct, got a stride of 0 over elements that reach 0",
       [](auto&, auto& c) { c.d_query.time_stride = 0; }},
      {{"backward", "state_backward"},
       "d_key is a result whose elements must be distinct, got a stride of 15 over elements that reach 15",
       [](auto&, auto& c) { c.d_key.time_stride = -15; }},
      {{"backward", "state_backward"},
       "d_value is a result whose elements must be distinct, got a stride of 0 over elements that reach 0",
       [](auto&, auto& c) { c.d_value.batch_stride = 0; }},
  };
}

TEST(CInterface, BadArgumentsAreNamedAndNothingIsWritten) {
  const Context context;
  for (const Refusal& refusal : refusals()) {
    for (const CFunction& function : kCFunctions) {
      if (std::ranges::find(refusal.functions, function.name) == refusal.functions.end()) continue;
      Good good;
      if (function.name == "step") good.call.Tq = good.call.Tk = 1;
      refusal.change(good, good.call);
      const auto before = good.bits();
      EXPECT_EQ(function.run(context.get(), &good.call, good.in.position.data()), COSFORMER_BAD_ARGUMENT)
          << function.name << ": " << refusal.line;
      EXPECT_EQ(context.message(), std::string("attention: ") + refusal.line) << function.name;
      EXPECT_EQ(good.bits(), before) << function.name << ": " << refusal.line;
    }
  }
}

TEST(CInterface, AStepNeedsItsPositions) {
  const Context context;
  Good good;
  good.call.Tq = good.call.Tk = 1;
  const auto before = good.bits();
  EXPECT_EQ(cosformer_attention_step(context.get(), &good.call, nullptr), COSFORMER_BAD_ARGUMENT);
  EXPECT_EQ(context.message(), "attention: position must not be null");
  EXPECT_EQ(good.bits(), before);
}

TEST(CInterface, GoodCallsOfTheTableRun) {
  const Context context;
  for (const CFunction& function : kCFunctions) {
    Good good;
    if (function.name == "step") good.call.Tq = good.call.Tk = 1;
    EXPECT_EQ(function.run(context.get(), &good.call, good.in.position.data()), COSFORMER_OK)
        << function.name << ": " << context.message();
  }
}

}  // namespace
}  // namespace cosformer::test
