// S_r and z_r the state of stretch r alone, D = exp(-decay T / count) what a stretch leaves of an earlier
// state:
//
//   P_0 = 0;  P_r = D P_{r-1} + S_{r-1}          the state before stretch r
//   dS_r = sum_{q > r} D^{q - r - 1} dP_q        its gradient
//
// Both sums are taken by every process itself, one term after another, from all states or gradients.

#include "nn/split_attention.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <span>

namespace cosformer::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A state as one tensor [B, G, N, K, V + 1], so that one message carries it.
torch::Tensor packed(const torch::Tensor& S, const torch::Tensor& z) {
  return at::cat({S, z.unsqueeze(-1)}, -1);
}

/// What both passes need of a split.
struct Held : torch::CustomClassHolder {
  Held(const SequenceSplit& of, torch::Tensor what_is_kept) : split(of), kept(std::move(what_is_kept)) {}
  SequenceSplit split;
  torch::Tensor kept;  ///< D, [G, 1, 1, 1]; undefined: 1
};

class StateBefore : public torch::autograd::Function<StateBefore> {
 public:
  /// @param own packed state of this stretch alone
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& own,
                               const c10::intrusive_ptr<Held>& held) {
    context->saved_data["held"] = c10::IValue::make_capsule(held);
    const std::vector<torch::Tensor> states = held->split.gather(own);
    return folded(own, held->kept, std::span(states).first(static_cast<std::size_t>(held->split.index)));
  }

  static variable_list backward(AutogradContext* context, const variable_list& d_before) {
    const auto held = c10::static_intrusive_pointer_cast<Held>(context->saved_data["held"].toCapsule());
    std::vector<torch::Tensor> gradients = held->split.gather(d_before[0]);
    std::reverse(gradients.begin(), gradients.end());
    const auto after = static_cast<std::size_t>(held->split.count - 1 - held->split.index);
    return {folded(d_before[0], held->kept, std::span(gradients).first(after)), {}};
  }

 private:
  /// D (D (D 0 + terms[0]) + terms[1]) + ...
  static torch::Tensor folded(const torch::Tensor& like, const torch::Tensor& kept,
                              std::span<const torch::Tensor> terms) {
    torch::Tensor sum = torch::zeros_like(like);
    for (const torch::Tensor& term : terms) {
      if (kept.defined()) sum.mul_(kept);
      sum.add_(term);
    }
    return sum;
  }
};

}  // namespace

torch::Tensor split_attention(const torch::Tensor& query, const torch::Tensor& key,
                              const torch::Tensor& value, std::optional<int64_t> horizon,
                              const ops::StatefulOptions& options, const SequenceSplit& split) {
  const int64_t batch = key.size(0), length = key.size(1);
  const torch::Tensor position =
      torch::full({batch}, split.index * length, key.options().dtype(torch::kInt64));
  const auto [S, z] = ops::attention_state(key, value, position, horizon,
                                           {.decay = options.decay, .feature_map = options.feature_map});
  torch::Tensor kept;
  if (options.decay) kept = at::exp(*options.decay * -static_cast<double>(length)).view({-1, 1, 1, 1});
  const torch::Tensor before = StateBefore::apply(packed(S, z), c10::make_intrusive<Held>(split, kept));
  const int64_t width = value.size(-1);
  return std::get<0>(ops::attention_stateful(query, key, value, before.narrow(-1, 0, width).contiguous(),
                                             before.select(-1, width).contiguous(), position, horizon,
                                             options));
}

}  // namespace cosformer::nn
