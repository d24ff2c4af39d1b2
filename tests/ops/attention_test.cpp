#include "cosformer/ops/attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "ops/tensors.h"

namespace cosformer::ops::testing {
namespace {

TEST(AttentionOperator, StridesNeverChangeBits) {
  const auto [query, key, value] = inputs(2, 70, 70, 3, 16, 16);
  const auto plain = attention(query, key, value, 70, true);
  for (const auto& [a, b] : {std::pair{1, 2}, std::pair{1, 3}, std::pair{0, 1}}) {
    const auto turned = [&](const at::Tensor& x) { return x.transpose(a, b).contiguous().transpose(a, b); };
    ASSERT_FALSE(turned(query).is_contiguous());
    EXPECT_TRUE(at::equal(attention(turned(query), turned(key), turned(value), 70, true), plain));
  }
}

TEST(AttentionOperator, ReadsExpandedTensorsInPlace) {
  const auto [query, key, value] = inputs(1, 20, 20, 1, 8, 8);
  const auto wide = [](const at::Tensor& x) { return x.expand({3, 20, 2, 8}); };
  EXPECT_TRUE(at::equal(attention(wide(query), wide(key), wide(value), 20, true),
                        wide(attention(query, key, value, 20, true))));
}

/// Output and gradients of the tokens alone, by sequence.
struct Run {
  std::vector<at::Tensor> results;
};

template <class Call>
Run run(const Inputs& made, const Call& call) {
  const Inputs leaves{made.query.clone().requires_grad_(), made.key.clone().requires_grad_(),
                      made.value.clone().requires_grad_()};
  const auto output = call(leaves);
  output.square().sum().backward();
  return {{output.detach(), leaves.query.grad(), leaves.key.grad(), leaves.value.grad()}};
}

TEST(AttentionOperator, PaddingAndPackingNeverChangeBits) {
  constexpr int64_t kLengths[] = {37, 0, 70, 1};
  constexpr int64_t kPadded = 75;
  const auto padding = at::full({4, kPadded}, true, at::kBool);
  std::vector<at::Tensor> at_rows;  // of each sequence's tokens, spread over left, right and holes
  for (int64_t b = 0; b < 4; ++b) {
    auto row = padding[b];
    int64_t left = kLengths[b];
    for (int64_t t = b; t < kPadded && left > 0; t += (b == 0 ? 2 : 1), --left) row[t].fill_(false);
    ASSERT_EQ(left, 0);
    at_rows.push_back(row.logical_not());
  }
  const auto packed = inputs(1, 108, 108, 2, 16, 16);
  const Inputs flat{packed.query[0], packed.key[0], packed.value[0]};
  const auto spread = [&](const at::Tensor& x) {
    auto wide = at::full({4, kPadded, 2, 16}, std::nan(""));
    int64_t first = 0;
    for (int64_t b = 0; b < 4; first += kLengths[b++])
      wide[b].masked_scatter_(at_rows[b].unsqueeze(-1).unsqueeze(-1), x.slice(0, first, first + kLengths[b]));
    return wide;
  };
  const auto gather = [&](const at::Tensor& x) {
    std::vector<at::Tensor> rows;
    for (int64_t b = 0; b < 4; ++b)
      rows.push_back(x[b].masked_select(at_rows[b].unsqueeze(-1).unsqueeze(-1)).view({-1, 2, 16}));
    return at::cat(rows);
  };
  for (const bool causal : {true, false}) {
    const auto masked = run({spread(flat.query), spread(flat.key), spread(flat.value)}, [&](const Inputs& x) {
      return attention(x.query, x.key, x.value, 70, causal,
                       {.query_padding_mask = padding, .key_padding_mask = padding});
    });
    const auto cu_seqlens = at::tensor({0, 37, 37, 107, 108});
    const auto varlen = run(flat, [&](const Inputs& x) {
      return attention_varlen(x.query, x.key, x.value, cu_seqlens, cu_seqlens, 70, causal);
    });
    int64_t first = 0;
    std::vector<at::Tensor> alone[4];
    for (const int64_t length : kLengths) {
      const auto piece = [&](const at::Tensor& x) { return x.slice(0, first, first + length).unsqueeze(0); };
      const auto one = run({piece(flat.query), piece(flat.key), piece(flat.value)},
                           [&](const Inputs& x) { return attention(x.query, x.key, x.value, 70, causal); });
      for (size_t i = 0; i < 4; ++i) alone[i].push_back(one.results[i][0]);
      first += length;
    }
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_TRUE(at::equal(gather(masked.results[i]), varlen.results[i])) << i;
      EXPECT_TRUE(at::equal(at::cat(alone[i]), varlen.results[i])) << i;
      EXPECT_EQ(masked.results[i]
                    .masked_select(padding.unsqueeze(-1).unsqueeze(-1))
                    .count_nonzero()
                    .item<int64_t>(),
                0);
    }
  }
}

TEST(AttentionOperator, EmptyBatchAndLengthAreLegal) {
  for (const auto& [B, T] : {std::pair{0, 4}, std::pair{3, 0}}) {
    auto [query, key, value] = inputs(B, T, T, 2, 4, 6);
    query.requires_grad_();
    const auto output = attention(query, key, value, 8, true);
    EXPECT_EQ(output.sizes(), (std::vector<int64_t>{B, T, 2, 6}));
    output.sum().backward();
    EXPECT_EQ(query.grad().sizes(), query.sizes());
  }
  const auto [query, key, value] = inputs(2, 3, 0, 2, 4, 6);
  EXPECT_TRUE(at::equal(attention(query, key, value, 8), at::zeros({2, 3, 2, 6})));
}

TEST(AttentionOperator, NoSequenceAndNoRowMayBePacked) {
  auto [query, key, value] = inputs(1, 0, 0, 2, 4, 6);
  for (const auto& cu_seqlens : {at::zeros({1}, at::kInt), at::zeros({4}, at::kLong)}) {
    const auto leaf = query[0].clone().requires_grad_();
    const auto output = attention_varlen(leaf, key[0], value[0], cu_seqlens, cu_seqlens, 8, true);
    EXPECT_EQ(output.sizes(), (std::vector<int64_t>{0, 2, 6}));
    output.sum().backward();
  }
}

TEST(AttentionOperator, MetaGivesShapesWithoutMemory) {
  const auto [query, key, value] = inputs(2, 9, 7, 3, 4, 6);
  const auto meta = [](const at::Tensor& x) { return x.to(at::kMeta); };
  const auto output = attention(meta(query), meta(key), meta(value), 9);
  EXPECT_TRUE(output.is_meta());
  EXPECT_EQ(output.sizes(), (std::vector<int64_t>{2, 9, 3, 6}));
}

}  // namespace
}  // namespace cosformer::ops::testing
