#include "nn/head_loss.h"

#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "cosformer/nn/language_model.h"
#include "nn/autocast.h"
#include "nn/head_chunk.h"

namespace cosformer::nn {
namespace {

struct Pass {
  torch::Tensor loss, d_x, d_weight;
};

/// Operands of a product with as many bits as bfloat16 has, in float32: a product of two of them is exact,
/// and its sum is rounded once. (LibTorch's products of bfloat16 tensors round the sum to bfloat16.)
torch::Tensor operand(const torch::Tensor& x, bool rounded) {
  return rounded ? x.to(torch::kBFloat16).to(x.scalar_type()) : x;
}

/// A chunk's logits lie as [v, rows]: W x^T is a product of many rows, which MKL spreads over threads twice
/// as well as x W^T (13 against 22 ms for v = 33278, w = 128, 256 rows; 2 threads, Zen 4).
Pass pass(const torch::Tensor& given_x, const torch::Tensor& given_weight, const torch::Tensor& targets,
          const HeadLossOptions& options, bool with_gradients) {
  RECORD_USER_SCOPE("cosformer::head_loss");
  const torch::NoGradGuard no_gradients;
  const Autocast without_autocast(std::nullopt, given_x.device().type());
  const double label_smoothing = options.label_smoothing;
  const torch::Tensor x = operand(given_x, options.rounded);
  const torch::Tensor weight = operand(given_weight, options.rounded);
  const int64_t rows = x.size(0), vocabulary = weight.size(0);
  const int64_t chunk = head_chunk_rows(rows, vocabulary, x.is_cuda());
  // A number of the host's among a GPU's would wait for it: fills bring theirs along.
  const torch::Tensor counts = targets.ne(kNoTarget);
  const torch::Tensor chosen = targets.masked_fill(counts.logical_not(), 0).unsqueeze(0);
  const torch::Tensor number =
      options.divisor ? at::full({}, *options.divisor, targets.options()) : counts.sum();
  const torch::Tensor factors = (counts.to(x.scalar_type()) / number).unsqueeze(0);
  Pass result;
  if (with_gradients) {
    result.d_x = torch::empty_like(x);
    result.d_weight = torch::zeros_like(weight);
  }
  torch::Tensor loss = torch::zeros({}, x.options().dtype(torch::kFloat64));
  torch::Tensor logits, softmax;
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t count = std::min(chunk, rows - begin);
    const torch::Tensor x_chunk = x.narrow(0, begin, count), target = chosen.narrow(1, begin, count);
    const torch::Tensor factor = factors.narrow(1, begin, count);
    if (!logits.defined() || logits.size(1) != count) {
      logits = torch::empty({vocabulary, count}, x.options());
      softmax = torch::empty_like(logits);
    }
    at::mm_out(logits, weight, x_chunk.t());
    at::softmax_out(softmax, logits, 0);
    // The largest logit's softmax is 1 / sum exp(logit - largest), and at least 1 / v.
    const torch::Tensor log_sum = at::amax(logits, 0, true) - at::amax(softmax, 0, true).log();
    torch::Tensor expected = logits.gather(0, target);
    if (label_smoothing > 0) expected = at::lerp(expected, logits.mean(0, true), label_smoothing);
    loss.add_(((log_sum - expected) * factor).sum(torch::kFloat64));
    if (with_gradients) {
      // d logits = (softmax - smoothed one-hot) / count, 0 where there is no target.
      if (label_smoothing > 0) softmax.sub_(label_smoothing / static_cast<double>(vocabulary));
      // Flat places: deterministic scatters of matrices wait for a GPU.
      const torch::Tensor places = target.squeeze(0) * count + at::arange(count, target.options());
      softmax.view(-1).scatter_add_(0, places, torch::full({count}, label_smoothing - 1, x.options()));
      softmax.mul_(factor);
      if (options.rounded) softmax.copy_(softmax.to(torch::kBFloat16));
      torch::Tensor d_x = result.d_x.narrow(0, begin, count);
      at::mm_out(d_x, softmax.t(), weight);
      result.d_weight.addmm_(softmax, x_chunk);
    }
  }
  // A mean over nothing.
  result.loss = loss.masked_fill(number <= 0, std::numeric_limits<double>::quiet_NaN()).to(x.scalar_type());
  return result;
}

class HeadLoss : public torch::autograd::Function<HeadLoss> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const torch::Tensor& targets,
                               const HeadLossOptions& options) {
    Pass result = pass(x, weight, targets, options, true);
    context->save_for_backward({result.d_x, result.d_weight});
    return result.loss;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& d_loss) {
    RECORD_USER_SCOPE("cosformer::head_loss");
    const auto saved = context->get_saved_variables();
    return {saved[0] * d_loss[0], saved[1] * d_loss[0], {}, {}};
  }
};

}  // namespace

torch::Tensor head_loss(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& targets,
                        const HeadLossOptions& options) {
  if (at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad())) {
    return HeadLoss::apply(x, weight, targets, options);
  }
  return pass(x, weight, targets, options, false).loss;
}

}  // namespace cosformer::nn
