#include "nn/split_attention.h"

#include <gtest/gtest.h>

#include <barrier>
#include <thread>

namespace cosformer::nn {
namespace {

/// Threads of one process in place of ranks.
class Exchange {
 public:
  explicit Exchange(int64_t count) : tensors_(static_cast<std::size_t>(count)), barrier_(count) {}

  SequenceSplit split(int64_t index) {
    return {index, static_cast<int64_t>(tensors_.size()), [this, index](const torch::Tensor& tensor) {
              tensors_[static_cast<std::size_t>(index)] = tensor;
              barrier_.arrive_and_wait();
              std::vector<torch::Tensor> all = tensors_;
              if (index == 0) elements_ += tensor.numel();
              barrier_.arrive_and_wait();
              return all;
            }};
  }
  int64_t elements() const { return elements_; }

 private:
  std::vector<torch::Tensor> tensors_;
  std::barrier<> barrier_;
  int64_t elements_ = 0;
};

struct Case {
  int64_t count, length, groups;
  std::optional<int64_t> horizon;
  bool decays;
  torch::ScalarType dtype = torch::kFloat64;
};

/// Output and gradients of query, key and value.
using Results = std::vector<torch::Tensor>;

struct Inputs {
  explicit Inputs(const Case& c) {
    torch::manual_seed(7);
    const auto options = torch::dtype(c.dtype);
    query = torch::randn({2, c.length, 4, 5}, options);
    key = torch::randn({2, c.length, c.groups, 5}, options);
    value = torch::randn({2, c.length, c.groups, 3}, options);
    d_output = torch::randn({2, c.length, 4, 3}, options);
    if (c.decays) decay = torch::linspace(0.01, 0.3, c.groups, torch::kFloat32);
  }
  torch::Tensor query, key, value, d_output;
  std::optional<torch::Tensor> decay;
};

Results whole(const Case& c, const Inputs& inputs) {
  std::vector<torch::Tensor> leaves;
  for (const auto& input : {inputs.query, inputs.key, inputs.value})
    leaves.push_back(input.clone().requires_grad_());
  const auto output =
      ops::attention(leaves[0], leaves[1], leaves[2], c.horizon, true, {.decay = inputs.decay});
  output.backward(inputs.d_output);
  return {output.detach(), leaves[0].grad(), leaves[1].grad(), leaves[2].grad()};
}

Results in_stretches(const Case& c, const Inputs& inputs, int64_t* elements = nullptr) {
  Exchange exchange(c.count);
  std::vector<Results> parts(static_cast<std::size_t>(c.count));
  std::vector<std::thread> threads;
  const int64_t length = c.length / c.count;
  for (int64_t rank = 0; rank < c.count; ++rank) {
    threads.emplace_back([&, rank] {
      std::vector<torch::Tensor> leaves;
      for (const auto& input : {inputs.query, inputs.key, inputs.value})
        leaves.push_back(input.narrow(1, rank * length, length).clone().requires_grad_());
      const auto output = split_attention(leaves[0], leaves[1], leaves[2], c.horizon, {.decay = inputs.decay},
                                          exchange.split(rank));
      output.backward(inputs.d_output.narrow(1, rank * length, length));
      parts[static_cast<std::size_t>(rank)] = {output.detach(), leaves[0].grad(), leaves[1].grad(),
                                               leaves[2].grad()};
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (elements) *elements = exchange.elements();
  Results results;
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<torch::Tensor> pieces;
    for (const Results& part : parts) pieces.push_back(part[i]);
    results.push_back(at::cat(pieces, 1));
  }
  return results;
}

double distance(const torch::Tensor& a, const torch::Tensor& b) {
  const double scale = b.to(torch::kFloat64).abs().max().item<double>();
  return (a.to(torch::kFloat64) - b.to(torch::kFloat64)).abs().max().item<double>() / scale;
}

TEST(SplitAttention, EqualsTheWholeSequence) {
  constexpr const char* kNames[] = {"output", "d query", "d key", "d value"};
  for (const int64_t count : {1, 2, 3, 4}) {
    for (const bool decays : {false, true}) {
      for (const std::optional<int64_t> horizon : {std::optional<int64_t>(24), std::optional<int64_t>()}) {
        const Case c{count, 24, 2, horizon, decays};
        const Inputs inputs(c);
        const Results expected = whole(c, inputs), got = in_stretches(c, inputs);
        // The decay's factor D is computed in float32.
        const double bound = decays ? 1e-6 : 1e-13;
        for (std::size_t i = 0; i < 4; ++i) {
          EXPECT_LT(distance(got[i], expected[i]), bound)
              << kNames[i] << ", " << count << " stretches, decay " << decays << ", horizon "
              << horizon.value_or(0);
        }
      }
    }
  }
}

TEST(SplitAttention, InFloat32StaysWithinAFewRoundings) {
  Case c{4, 512, 4, 512, false};
  c.dtype = torch::kFloat32;
  const Inputs inputs(c);
  Case exact = c;
  exact.dtype = torch::kFloat64;
  Inputs in_double(exact);
  in_double.query = inputs.query.to(torch::kFloat64);
  in_double.key = inputs.key.to(torch::kFloat64);
  in_double.value = inputs.value.to(torch::kFloat64);
  in_double.d_output = inputs.d_output.to(torch::kFloat64);
  const Results expected = whole(exact, in_double), alone = whole(c, inputs), got = in_stretches(c, inputs);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_LT(distance(got[i], expected[i]), 2 * distance(alone[i], expected[i]) + 1e-6) << i;
}

TEST(SplitAttention, SendsTheSameAmountWhateverTheLength) {
  int64_t elements[2] = {};
  for (const int i : {0, 1}) {
    const Case c{4, i == 0 ? 64 : 640, 2, 640, false};
    in_stretches(c, Inputs(c), &elements[i]);
  }
  EXPECT_EQ(elements[0], 2 * (2 * 2 * 2 * 5 * (3 + 1)));  // forward and backward: B G N K (V + 1)
  EXPECT_EQ(elements[1], elements[0]);
}

}  // namespace
}  // namespace cosformer::nn
