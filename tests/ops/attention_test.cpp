#include "cosformer/ops/attention.h"

#include <gtest/gtest.h>

#include "ops/tensors.h"

namespace cosformer::ops::testing {
namespace {

struct Case {
  const char* name;
  int64_t B, Tq, Tk, H, K, V;
  std::optional<int64_t> horizon;
  bool causal;
  const char* feature_map;
};

// More than one token: the gradient of a single token's query and key is a difference of equal terms.
const std::vector<Case> kCases = {
    {"few_tokens", 2, 2, 2, 2, 8, 8, 2, true, "relu"},
    {"odd_widths", 2, 7, 7, 3, 5, 3, 9, true, "relu"},
    {"long", 1, 300, 300, 2, 16, 16, 300, true, "relu"},
    {"long_without_horizon", 1, 300, 300, 2, 16, 16, {}, true, "relu"},
    {"cross_fewer_keys", 2, 65, 33, 2, 16, 7, 65, false, "relu"},
    {"cross_more_keys", 2, 33, 65, 2, 7, 16, {}, false, "relu"},
    {"identity", 1, 40, 40, 2, 8, 8, 50, true, "identity"},
};

Inputs inputs_of(const Case& c, at::ScalarType dtype) {
  auto made = inputs(c.B, c.Tq, c.Tk, c.H, c.K, c.V, dtype);
  if (std::string_view(c.feature_map) == "identity") made = {made.query.abs(), made.key.abs(), made.value};
  return made;
}

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

class Attention : public ::testing::TestWithParam<Case> {};

TEST_P(Attention, EqualsTheReferenceForwardAndBackward) {
  const auto& c = GetParam();
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    auto [query, key, value] = inputs_of(c, dtype);
    AttentionOptions options;
    options.horizon = c.horizon;
    options.causal = c.causal;
    options.feature_map = std::string_view(c.feature_map) == "relu" ? FeatureMap::relu : FeatureMap::identity;
    const auto right = expected({query, key, value}, options);
    for (const auto& leaf : {query, key, value}) leaf.requires_grad_();
    const auto output = attention(query, key, value, c.horizon, c.causal, c.feature_map);
    output.sum().backward();

    // Every result is a sum of T terms, each a product over K and V, from float32 roundings of 2^-24.
    const double roundings = static_cast<double>(std::max(c.Tq, c.Tk) + c.K + c.V + 8);
    const double bound = 8 * roundings * std::ldexp(1.0, dtype == at::kFloat ? -24 : -52);
    EXPECT_EQ(output.scalar_type(), dtype);
    EXPECT_LE(relative_error(output, right.output), bound);
    EXPECT_LE(relative_error(query.grad(), right.d_query), bound);
    EXPECT_LE(relative_error(key.grad(), right.d_key), bound);
    EXPECT_LE(relative_error(value.grad(), right.d_value), bound);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Attention, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

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

TEST(AttentionOperator, MetaGivesShapesWithoutMemory) {
  const auto [query, key, value] = inputs(2, 9, 7, 3, 4, 6);
  const auto meta = [](const at::Tensor& x) { return x.to(at::kMeta); };
  const auto output = attention(meta(query), meta(key), meta(value), 9);
  EXPECT_TRUE(output.is_meta());
  EXPECT_EQ(output.sizes(), (std::vector<int64_t>{2, 9, 3, 6}));
}

}  // namespace
}  // namespace cosformer::ops::testing
