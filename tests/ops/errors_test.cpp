#include <gtest/gtest.h>

#include "cosformer/ops/attention.h"
#include "ops/tensors.h"

namespace cosformer::ops::testing {
namespace {

template <class Call>
std::string line_of(const Call& call) {
  try {
    call();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "nothing was thrown";
}

TEST(Errors, NameArgumentExpectedAndGot) {
  const auto [query, key, value] = inputs(2, 6, 6, 3, 4, 5);
  const auto line = [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        std::optional<int64_t> horizon, bool causal = false, const char* feature_map = "relu",
                        double eps = 1e-6) {
    return line_of([&] { attention(q, k, v, horizon, causal, {.feature_map = feature_map, .eps = eps}); });
  };
  EXPECT_EQ(line(query[0], key, value, 8), "attention: query must be [B, Tq, H, K], got [6, 3, 4]");
  EXPECT_EQ(line(query, key.slice(3, 0, 3), value, 8),
            "attention: key must be [2, Tk, G, 4] as query is [2, 6, 3, 4], got [2, 6, 3, 3]");
  EXPECT_EQ(line(query, key, value.slice(1, 0, 5), 8),
            "attention: value must be [2, 6, 3, V] as key is [2, 6, 3, 4], got [2, 5, 3, 5]");
  EXPECT_EQ(line(query.slice(1, 0, 5), key, value, 8, true),
            "attention: causal needs as many queries as keys, got Tq = 5, Tk = 6");
  EXPECT_EQ(line(query, key, value, 5),
            "attention: positions must stay below horizon = 5, got a length of 6");
  EXPECT_EQ(line(query, key, value, 0), "attention: horizon must be >= 1 or None, got 0");
  EXPECT_EQ(line(query, key, value, 8, false, "elu"),
            "attention: feature_map must be \"relu\" or \"identity\", got \"elu\"");
  EXPECT_EQ(line(query, key, value, 8, false, "relu", 0),
            "attention: eps must be finite and > 0 in float32, got 0");
  EXPECT_EQ(line(query, key.slice(2, 0, 2), value.slice(2, 0, 2), 8),
            "attention: query must have a multiple of key's 2 heads, got 3");
  EXPECT_EQ(line(query, key.to(at::kDouble), value, 8), "attention: key must be Float, got Double");
  EXPECT_EQ(line(query, key.to(at::kMeta), value, 8), "attention: key must be on cpu as query is, got meta");
}

TEST(Errors, LeaveTheStateUnchanged) {
  const auto [query, key, value] = inputs(2, 1, 1, 3, 4, 5);
  const auto S = at::zeros({2, 3, 2, 4, 5}), z = at::zeros({2, 3, 2, 4});
  const auto position = at::zeros({2}, at::kLong);
  position[1].fill_(8);
  EXPECT_EQ(line_of([&] { attention_step_(query, key, value, S, z, position, 8); }),
            "attention: position must stay below horizon = 8, got position 8 in row 1");
  EXPECT_EQ(S.count_nonzero().item<int64_t>() + z.count_nonzero().item<int64_t>(), 0);
  EXPECT_EQ(position[0].item<int64_t>(), 0);
}

TEST(Errors, ValuesLeaveAsTheKernelLibrarysLine) {
  const auto [query, key, value] = inputs(2, 6, 6, 3, 4, 5);
  const auto padding = mask({"xx....", "......"});
  EXPECT_EQ(line_of([&] { attention(query, key, value, 8, true, {.key_padding_mask = padding}); }),
            "attention: causal needs equal padding of queries and keys, got a difference in row 0, time 0");
  EXPECT_EQ(line_of([&] {
              attention(query, key, value, 8, true, {.decay = at::tensor({0.0F, -1.0F, 0.0F})});
            }),
            "attention: decay must be finite and >= 0, got -1.000000 in group 1");
  const auto falling = at::tensor({0, 4, 3, 6}), whole = at::tensor({0, 6, 6, 6});
  EXPECT_EQ(line_of([&] { attention_varlen(query[0], key[0], value[0], falling, whole, 8); }),
            "attention: cu_seqlens_q must not decrease, got 4, 3 at 1");
}

TEST(Errors, StepRefusesTensorsThatRequireGrad) {
  auto [query, key, value] = inputs(1, 1, 1, 2, 4, 4);
  const auto S = at::zeros({1, 2, 2, 4, 4}), z = at::zeros({1, 2, 2, 4});
  const auto position = at::zeros({1}, at::kLong);
  key.requires_grad_();
  EXPECT_EQ(line_of([&] { attention_step_(query, key, value, S, z, position, 8); }),
            "attention_step_: tensors must not require grad, since S and z are advanced in place; use "
            "attention_stateful or no_grad");
}

}  // namespace
}  // namespace cosformer::ops::testing
