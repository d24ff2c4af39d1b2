#include "nn/recompute.h"

#include <gtest/gtest.h>

#include "nn/autocast.h"
#include "nn/random_state.h"
#include "nn/tiny_model.h"

namespace cosformer::nn::test {
namespace {

/// Losses of two micro-batches and the gradients they add up to, with dropout.
std::vector<torch::Tensor> accumulated(LanguageModel& model, const ForwardOptions& options) {
  model->zero_grad();
  model->train();
  torch::manual_seed(9);
  std::vector<torch::Tensor> results;
  std::vector<torch::Tensor> batches;
  for (uint64_t seed = 10; seed < 12; ++seed) {
    const torch::Tensor state = random_state();
    batches = {tiny_tokens(3, 20, seed), tiny_tokens(3, 20, seed + 5)};
    set_random_state(state);
    const torch::Tensor loss = model->loss(batches[0], batches[1], options);
    loss.backward();
    results.push_back(loss.detach());
  }
  for (const torch::Tensor& parameter : model->parameters()) results.push_back(parameter.grad().clone());
  results.push_back(random_state());
  return results;
}

TEST(Recompute, GivesTheSameBits) {
  for (const std::string& kind : kKinds) {
    for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
      LanguageModelConfig config = tiny_config(kind, "learned", "swiglu");
      config.dropout = config.activation_dropout = 0.3;
      if (kind == "softmax") config.attention_dropout = 0.3;
      LanguageModel model = tiny_model(config);
      const auto kept = accumulated(model, {0.1, precision, false});
      const auto again = accumulated(model, {0.1, precision, true});
      for (std::size_t i = 0; i < kept.size(); ++i)
        EXPECT_TRUE(torch::equal(kept[i], again[i])) << kind << ", result " << i;
      EXPECT_FALSE(torch::equal(kept[0], kept[1]));
    }
  }
}

TEST(Recompute, AccumulatesEachParameterOnceABackwardPass) {
  LanguageModel model = tiny_model(tiny_config("cosformer"));
  const auto parameters = model->named_parameters();
  std::vector<int> times(parameters.size(), 0);
  // They live as long as someone holds them.
  std::vector<decltype(torch::autograd::impl::grad_accumulator(torch::Tensor()))> accumulators;
  struct Counter : torch::autograd::FunctionPostHook {
    explicit Counter(int& count_) : count(count_) {}
    torch::autograd::variable_list operator()(const torch::autograd::variable_list& outputs,
                                              const torch::autograd::variable_list& /*inputs*/) override {
      ++count;
      return outputs;
    }
    int& count;
  };
  for (std::size_t i = 0; i < times.size(); ++i) {
    accumulators.push_back(torch::autograd::impl::grad_accumulator(parameters[i].value()));
    accumulators.back()->add_post_hook(std::make_unique<Counter>(times[i]));
  }
  model->loss(tiny_tokens(2, 20), tiny_tokens(2, 20, 3), {.recompute = true}).backward();
  for (std::size_t i = 0; i < times.size(); ++i) EXPECT_EQ(times[i], 1) << parameters[i].key();
}

TEST(Recompute, KeepsTheInputAlone) {
  const torch::Tensor x = torch::randn({8}).requires_grad_(), weight = torch::randn({8}).requires_grad_();
  std::weak_ptr<int> alive;
  int calls = 0;
  const auto function = [&](const torch::Tensor& input) {
    ++calls;
    const auto token = std::make_shared<int>();
    // Lives as long as the intermediate result does.
    const torch::Tensor values = (input.detach() * 2).clone();
    const torch::Tensor inner = torch::from_blob(
        values.data_ptr(), {8}, [token, values](void*) {}, torch::kFloat32);
    alive = token;
    return (input * weight * inner).sum();
  };
  torch::Tensor loss = function(x);
  EXPECT_FALSE(alive.expired()) << "autograd keeps it";
  loss = torch::Tensor();
  loss = recompute(function, x, {weight});
  EXPECT_TRUE(alive.expired());
  EXPECT_EQ(calls, 2);
  loss.backward();
  EXPECT_EQ(calls, 3);
  EXPECT_TRUE(torch::allclose(x.grad(), weight.detach() * 2 * x.detach()));
  EXPECT_TRUE(torch::allclose(weight.grad(), 2 * x.detach() * x.detach()));
}

TEST(Recompute, OfAnInputWithoutGradientReachesTheParameters) {
  const torch::Tensor x = torch::randn({8}), weight = torch::randn({8}).requires_grad_();
  const Autocast on(torch::kBFloat16);
  recompute([&](const torch::Tensor& input) { return (input * weight).sum(); }, x, {weight}).backward();
  EXPECT_TRUE(torch::equal(weight.grad(), x));
  EXPECT_FALSE(x.grad().defined());
}

}  // namespace
}  // namespace cosformer::nn::test
