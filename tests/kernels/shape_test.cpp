// Bad sizes and options get one line that names what was wrong, expected and got.

#include <gtest/gtest.h>

#include <limits>

#include "kernels/check.h"

namespace cosformer {
namespace {

std::string message(const AttentionShape& shape, const AttentionOptions& options,
                    const int64_t* position = nullptr) {
  try {
    const Rows all;
    check(Checked{shape, options, &all, &all, position, nullptr});
  } catch (const ShapeError& error) {
    return error.what();
  }
  return "";
}

const AttentionShape kGood{.B = 2, .Tq = 4, .Tk = 4, .H = 2, .G = 2, .K = 8, .V = 8};

TEST(Check, GoodOnesPass) {
  EXPECT_EQ(message(kGood, {.horizon = 4, .causal = true}), "");
  EXPECT_EQ(message(kGood, {}), "");
  EXPECT_EQ(message({}, {.horizon = 1}), "");
  const int64_t position[] = {0, 6};
  EXPECT_EQ(message(kGood, {.horizon = 10, .causal = true}, position), "");
}

TEST(Check, NamesTheSize) {
  AttentionShape s = kGood;
  s.K = -1;
  EXPECT_EQ(message(s, {}), "attention: K must be >= 0, got -1");
  s = kGood;
  s.H = 3;
  EXPECT_EQ(message(s, {}), "attention: H must be a multiple of G = 2, got H = 3");
  s = kGood;
  s.Tk = 5;
  EXPECT_EQ(message(s, {.causal = true}),
            "attention: causal needs as many queries as keys, got Tq = 4, Tk = 5");
}

TEST(Check, NamesTheOption) {
  EXPECT_EQ(message(kGood, {.horizon = 0}), "attention: horizon must be >= 1 or none, got 0");
  EXPECT_EQ(message(kGood, {.eps = 0}), "attention: eps must be finite and > 0, got 0.000000");
  EXPECT_NE(message(kGood, {.eps = std::numeric_limits<float>::quiet_NaN()}), "");
  EXPECT_NE(message(kGood, {.eps = std::numeric_limits<float>::infinity()}), "");
}

TEST(Check, NamesThePosition) {
  EXPECT_EQ(message(kGood, {.horizon = 3}),
            "attention: position must stay below horizon = 3, got position 3");
  const int64_t beyond[] = {0, 7};
  EXPECT_EQ(message(kGood, {.horizon = 10, .causal = true}, beyond),
            "attention: position must stay below horizon = 10, got position 10 in row 1");
  const int64_t negative[] = {-1, 0};
  EXPECT_EQ(message(kGood, {.horizon = 10, .causal = true}, negative),
            "attention: position must be >= 0, got -1 in row 0");
}

TEST(Check, LargePositionsDoNotOverflow) {
  const int64_t huge[] = {std::numeric_limits<int64_t>::max(), 0};
  EXPECT_NE(message(kGood, {.horizon = 10, .causal = true}, huge), "");
}

std::string message(const AttentionShape& shape, const AttentionOptions& options, const Rows& queries,
                    const Rows& keys, const float* decay = nullptr) {
  try {
    check(Checked{shape, options, &queries, &keys, nullptr, decay});
  } catch (const ShapeError& error) {
    return error.what();
  }
  return "";
}

TEST(Check, NamesTheRows) {
  const int64_t good[] = {0, 1, 4}, late[] = {1, 2, 4}, falling[] = {0, 5, 4}, elsewhere[] = {0, 2, 3},
                other[] = {0, 2, 4};
  const auto packed = [](const int64_t* cu) { return Rows{.cu_seqlens = cu}; };
  EXPECT_EQ(message(kGood, {.causal = true}, packed(good), packed(good)), "");
  EXPECT_EQ(message(kGood, {}, packed(late), packed(good)),
            "attention: cu_seqlens_q must begin with 0, got 1");
  EXPECT_EQ(message(kGood, {}, packed(good), packed(falling)),
            "attention: cu_seqlens_k must not decrease, got 5, 4 at 1");
  EXPECT_EQ(message(kGood, {}, packed(elsewhere), packed(good)),
            "attention: cu_seqlens_q must end with the number of rows, 4, got 3");
  EXPECT_EQ(message(kGood, {.causal = true}, packed(good), packed(other)),
            "attention: causal needs equal cu_seqlens, got 1 and 2 at 1");
  EXPECT_EQ(message(kGood, {}, packed(good), {}),
            "attention: queries and keys must both be packed or neither");
  const bool some[] = {false, true, false, false, false, false, false, false}, none[8] = {};
  const Rows padded{.padding = some, .padding_batch_stride = 4},
      whole{.padding = none, .padding_batch_stride = 4};
  EXPECT_EQ(message(kGood, {}, padded, whole), "");
  EXPECT_EQ(message(kGood, {.causal = true}, padded, padded), "");
  EXPECT_EQ(message(kGood, {.causal = true}, padded, {}),
            "attention: causal needs equal padding of queries and keys, got a difference in row 0, time 1");
  EXPECT_EQ(message(kGood, {.horizon = 3, .causal = true}, padded, padded),
            "attention: position must stay below horizon = 3, got position 3 in row 1");
}

TEST(Check, NamesTheDecay) {
  const float good[] = {0, 1}, negative[] = {0, -1}, nan[] = {std::numeric_limits<float>::quiet_NaN(), 0};
  EXPECT_EQ(message(kGood, {.causal = true}, {}, {}, good), "");
  EXPECT_EQ(message(kGood, {}, {}, {}, good), "attention: decay needs causal");
  EXPECT_EQ(message(kGood, {.causal = true}, {}, {}, negative),
            "attention: decay must be finite and >= 0, got -1.000000 in group 1");
  EXPECT_EQ(message(kGood, {.causal = true}, {}, {}, nan),
            "attention: decay must be finite and >= 0, got nan in group 0");
}

}  // namespace
}  // namespace cosformer
