// Bad sizes and options get one line that names what was wrong, expected and got.

#include <gtest/gtest.h>

#include <limits>

#include "cosformer/attention.h"

namespace cosformer {
namespace {

std::string message(const AttentionShape& shape, const AttentionOptions& options,
                    const int64_t* position = nullptr) {
  try {
    check(shape, options, position);
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

}  // namespace
}  // namespace cosformer
