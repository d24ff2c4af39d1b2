// Every operator through the dispatcher against the double reference: results and all gradients, for every
// dtype, mask, packing, grouping and option.

#include "ops/reference.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/exp.h>
#include <gtest/gtest.h>

#include <functional>

#include "cosformer/ops/attention.h"
#include "ops/tensors.h"

namespace cosformer::ops::testing {
namespace {

/// A call of one operator and what the reference makes of it.
struct Case {
  const char* name;
  cosformer::AttentionOptions options;
  std::function<Arguments(at::ScalarType)> arguments;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

Arguments tokens(std::vector<int64_t> query, std::vector<int64_t> key, int64_t V, at::ScalarType dtype) {
  Arguments a;
  auto value = key, output = query;
  value.back() = output.back() = V;
  a.query = values(query, 1, dtype), a.key = values(key, 2, dtype), a.value = values(value, 3, dtype);
  a.d_output = values(output, 4, dtype);
  return a;
}

/// Of B rows at unlike positions, with gradients of the state that comes out.
void add_state(Arguments& a, int64_t B, int64_t G, int64_t N, int64_t K, int64_t V, at::ScalarType dtype) {
  const auto state = state_type(dtype);
  a.S = values({B, G, N, K, V}, 5, state), a.z = values({B, G, N, K}, 6, state).abs().add(0.5);
  a.dS_out = values({B, G, N, K, V}, 7, state), a.dz_out = values({B, G, N, K}, 8, state);
  a.position = at::empty({B}, at::kLong);
  for (int64_t b = 0; b < B; ++b) a.position[b].fill_(3 * b);
}

/// Rows that are padding hold NaN.
void poison(Arguments& a) {
  const auto fill = [](at::Tensor& tensor, const at::Tensor& padding) {
    tensor.masked_fill_(padding.unsqueeze(-1).unsqueeze(-1), std::nan(""));
  };
  if (a.query_mask.defined()) fill(a.query, a.query_mask), fill(a.d_output, a.query_mask);
  if (a.key_mask.defined()) fill(a.key, a.key_mask), fill(a.value, a.key_mask);
}

using Options = cosformer::AttentionOptions;
constexpr auto identity = FeatureMap::identity;

const std::vector<Case> kAttention = {
    {"few_tokens", Options{.horizon = 2, .causal = true},
     [](auto t) {
       return tokens({2, 2, 2, 8}, {2, 2, 2, 8}, 8, t);
     }},
    {"odd_widths", Options{.horizon = 9, .causal = true},
     [](auto t) {
       return tokens({2, 7, 3, 5}, {2, 7, 3, 5}, 3, t);
     }},
    {"long_without_horizon", Options{.causal = true},
     [](auto t) {
       return tokens({1, 300, 2, 16}, {1, 300, 2, 16}, 16, t);
     }},
    {"cross_fewer_keys", Options{.horizon = 65},
     [](auto t) {
       return tokens({2, 65, 2, 16}, {2, 33, 2, 16}, 7, t);
     }},
    {"cross_more_keys", Options{},
     [](auto t) {
       return tokens({2, 33, 2, 7}, {2, 65, 2, 7}, 16, t);
     }},
    {"grouped", Options{.horizon = 70, .causal = true},
     [](auto t) {
       return tokens({2, 70, 6, 16}, {2, 70, 2, 16}, 8, t);
     }},
    {"grouped_cross", Options{.horizon = 90},
     [](auto t) {
       return tokens({2, 40, 4, 8}, {2, 90, 1, 8}, 24, t);
     }},
    {"numerator_alone", Options{.horizon = 100, .causal = true, .normalize = false},
     [](auto t) {
       return tokens({1, 100, 2, 8}, {1, 100, 2, 8}, 8, t);
     }},
    {"numerator_alone_cross", Options{.feature_map = identity, .normalize = false},
     [](auto t) {
       return tokens({1, 40, 2, 8}, {1, 30, 2, 8}, 8, t);
     }},
    {"large_eps", Options{.horizon = 50, .causal = true, .eps = 2.0F},
     [](auto t) {
       return tokens({1, 50, 2, 4}, {1, 50, 2, 4}, 4, t);
     }},
    {"decay", Options{.horizon = 200, .causal = true},
     [](auto t) {
       auto a = tokens({2, 130, 4, 8}, {2, 130, 2, 8}, 8, t);
       a.decay = at::tensor({0.0F, 0.25F});
       return a;
     }},
    {"padded_on_every_side", Options{.horizon = 6, .causal = true},
     [](auto t) {
       auto a = tokens({4, 8, 2, 8}, {4, 8, 1, 8}, 4, t);
       a.query_mask = a.key_mask = mask({"xx......", "......xx", ".x..x.x.", "xxxxxxxx"});
       poison(a);
       return a;
     }},
    {"masks_of_cross_attention", Options{.horizon = 5},
     [](auto t) {
       auto a = tokens({2, 6, 2, 8}, {2, 7, 2, 8}, 4, t);
       a.query_mask = mask({"..x...", "x..x.."});
       a.key_mask = mask({"xx.....", "xxxxxxx"});
       poison(a);
       return a;
     }},
    {"only_keys_padded", Options{},
     [](auto t) {
       auto a = tokens({1, 5, 2, 8}, {1, 6, 2, 8}, 4, t);
       a.key_mask = mask({".x.x.x"}).expand({1, 6});
       poison(a);
       return a;
     }},
};

const std::vector<Case> kPacked = {
    {"packed", Options{.horizon = 40, .causal = true},
     [](auto t) {
       auto a = tokens({60, 4, 8}, {60, 2, 8}, 6, t);
       a.cu_seqlens_q = a.cu_seqlens_k = at::tensor({0, 17, 17, 20, 60});
       return a;
     }},
    {"packed_decay", Options{.causal = true},
     [](auto t) {
       auto a = tokens({60, 2, 8}, {60, 2, 8}, 6, t);
       a.cu_seqlens_q = a.cu_seqlens_k = at::tensor({0, 1, 60, 60});
       a.decay = at::tensor({0.5F, 0.01F});
       return a;
     }},
    {"packed_cross", Options{.horizon = 50},
     [](auto t) {
       auto a = tokens({30, 2, 8}, {70, 2, 8}, 6, t);
       a.cu_seqlens_q = at::tensor({0, 10, 30}), a.cu_seqlens_k = at::tensor({0, 50, 70});
       return a;
     }},
};

const std::vector<Case> kStateful = {
    {"from_a_state", Options{.horizon = 80, .causal = true},
     [](auto t) {
       auto a = tokens({3, 70, 4, 8}, {3, 70, 2, 8}, 6, t);
       add_state(a, 3, 2, 2, 8, 6, t);
       return a;
     }},
    {"decayed_state", Options{.causal = true, .normalize = false},
     [](auto t) {
       auto a = tokens({2, 40, 2, 8}, {2, 40, 2, 8}, 6, t);
       add_state(a, 2, 2, 1, 8, 6, t);
       a.decay = at::tensor({0.1F, 0.02F});
       return a;
     }},
    {"padded_stretch", Options{.horizon = 12, .causal = true},
     [](auto t) {
       auto a = tokens({3, 9, 2, 8}, {3, 9, 2, 8}, 6, t);
       add_state(a, 3, 2, 2, 8, 6, t);
       a.query_mask = a.key_mask = mask({"x..x....x", "xxxxxxxxx", "xxx......"});
       poison(a);
       return a;
     }},
};

std::optional<at::Tensor> optional(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

const char* map_name(const Options& options) {
  return options.feature_map == FeatureMap::relu ? "relu" : "identity";
}

/// Every result is a sum of T terms, each a product over K and V, from roundings of 2^-24 in float32. In
/// bfloat16: three matrices on the way, the output that delta reads and the result are rounded to 2^-8 as
/// well.
double bound(const Arguments& a, at::ScalarType dtype) {
  const auto& longest = a.key.defined() ? a.key : a.query;
  const auto roundings = static_cast<double>(longest.size(-3) + longest.size(-1) +
                                             (a.value.defined() ? a.value.size(-1) : 8) + 8);
  return 8 * roundings * std::ldexp(1.0, dtype == at::kDouble ? -52 : -24) +
         (dtype == at::kBFloat16 ? 6 * std::ldexp(1.0, -8) : 0);
}

struct Leaves {
  explicit Leaves(Arguments& a) {
    for (at::Tensor* tensor : {&a.query, &a.key, &a.value, &a.S, &a.z}) {
      if (tensor->defined()) tensor->requires_grad_();
    }
  }
};

void expect_near(const Arguments& a,
                 const std::vector<std::pair<const char*, std::pair<at::Tensor, at::Tensor>>>& pairs,
                 at::ScalarType dtype) {
  for (const auto& [name, tensors] : pairs) {
    const auto& [got, right] = tensors;
    ASSERT_TRUE(got.defined()) << name;
    EXPECT_EQ(got.sizes(), right.sizes()) << name;
    EXPECT_TRUE(got.is_contiguous()) << name;
    const double error = relative_error(got, right);
    EXPECT_TRUE(error <= bound(a, dtype))
        << name << ", " << dtype << ": " << error << " beyond " << bound(a, dtype);
  }
}

void check_whole(const Case& c) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    auto a = c.arguments(dtype);
    const auto right = reference_attention(a, c.options);
    const Leaves leaves(a);
    at::Tensor output;
    if (a.cu_seqlens_q.defined()) {
      output = attention_varlen(a.query, a.key, a.value, a.cu_seqlens_q, a.cu_seqlens_k.to(at::kInt),
                                c.options.horizon, c.options.causal,
                                {.decay = optional(a.decay),
                                 .feature_map = map_name(c.options),
                                 .normalize = c.options.normalize,
                                 .eps = c.options.eps});
    } else {
      output = attention(a.query, a.key, a.value, c.options.horizon, c.options.causal,
                         {.query_padding_mask = optional(a.query_mask),
                          .key_padding_mask = optional(a.key_mask),
                          .decay = optional(a.decay),
                          .feature_map = map_name(c.options),
                          .normalize = c.options.normalize,
                          .eps = c.options.eps});
    }
    EXPECT_EQ(output.scalar_type(), dtype);
    output.backward(a.d_output);
    expect_near(a,
                {{"output", {output, right.output}},
                 {"d_query", {a.query.grad(), right.d_query}},
                 {"d_key", {a.key.grad(), right.d_key}},
                 {"d_value", {a.value.grad(), right.d_value}}},
                dtype);
  }
}

class WholeCall : public ::testing::TestWithParam<Case> {};
TEST_P(WholeCall, EqualsTheReference) {
  check_whole(GetParam());
}
const auto name_of = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Attention, WholeCall, ::testing::ValuesIn(kAttention), name_of);
INSTANTIATE_TEST_SUITE_P(Varlen, WholeCall, ::testing::ValuesIn(kPacked), name_of);

class StatefulCall : public ::testing::TestWithParam<Case> {};
TEST_P(StatefulCall, EqualsTheReference) {
  const auto& [name, options, arguments] = GetParam();
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    auto a = arguments(dtype);
    const auto right = reference_attention(a, options);
    const Leaves leaves(a);
    const auto [output, S, z, position] = attention_stateful(
        a.query, a.key, a.value, a.S, a.z, a.position, options.horizon,
        {.padding_mask = optional(a.key_mask), .decay = optional(a.decay), .normalize = options.normalize});
    EXPECT_EQ(S.scalar_type(), state_type(dtype));
    const auto padded = a.key_mask.defined() ? a.key_mask.sum(1) : at::zeros_like(a.position);
    EXPECT_TRUE(at::equal(position, a.position + a.key.size(1) - padded));
    output.backward(a.d_output, true);
    S.backward(a.dS_out, true);
    z.backward(a.dz_out);
    expect_near(a,
                {{"output", {output, right.output}},
                 {"S", {S, right.S}},
                 {"z", {z, right.z}},
                 {"d_query", {a.query.grad(), right.d_query}},
                 {"d_key", {a.key.grad(), right.d_key}},
                 {"d_value", {a.value.grad(), right.d_value}},
                 {"dS", {a.S.grad(), right.dS}},
                 {"dz", {a.z.grad(), right.dz}}},
                dtype);
  }
}
INSTANTIATE_TEST_SUITE_P(Options, StatefulCall, ::testing::ValuesIn(kStateful), name_of);

class StateCall : public ::testing::TestWithParam<Case> {};
TEST_P(StateCall, EqualsTheReference) {
  const auto& [name, options, arguments] = GetParam();
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    auto a = arguments(dtype);
    a.query.reset();
    const auto right = reference_state(a, options);
    const Leaves leaves(a);
    const auto [S, z] = attention_state(a.key, a.value, a.position, options.horizon,
                                        {.padding_mask = optional(a.key_mask), .decay = optional(a.decay)});
    S.backward(a.dS_out, true);
    z.backward(a.dz_out);
    expect_near(a,
                {{"S", {S, right.S}},
                 {"z", {z, right.z}},
                 {"d_key", {a.key.grad(), right.d_key}},
                 {"d_value", {a.value.grad(), right.d_value}}},
                dtype);
  }
}
INSTANTIATE_TEST_SUITE_P(Options, StateCall, ::testing::ValuesIn(kStateful), name_of);

TEST(ReadCall, EqualsTheReference) {
  for (const bool normalize : {true, false}) {
    for (const auto dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
      auto a = tokens({3, 20, 4, 8}, {3, 20, 2, 8}, 6, dtype);
      add_state(a, 3, 2, 2, 8, 6, dtype);
      a.key.reset(), a.value.reset();
      const Options options{.horizon = 64, .normalize = normalize};
      const auto right = reference_read(a, options);
      const Leaves leaves(a);
      const auto output = attention_read(a.query, a.S, a.z, a.position, 64, {.normalize = normalize});
      output.backward(a.d_output);
      expect_near(a,
                  {{"output", {output, right.output}},
                   {"d_query", {a.query.grad(), right.d_query}},
                   {"dS", {a.S.grad(), right.dS}}},
                  dtype);
      EXPECT_LE(relative_error(a.z.grad(), right.dz), bound(a, dtype));
    }
  }
}

}  // namespace
}  // namespace cosformer::ops::testing
