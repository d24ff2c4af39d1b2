#include "nn/recompute.h"

#include <torch/autograd.h>

#include "nn/autocast.h"
#include "nn/random_state.h"

namespace cosformer::nn {
namespace {

using Function = std::function<torch::Tensor(const torch::Tensor&)>;

/// What a second call needs beside tensors with gradients.
struct Call : torch::CustomClassHolder {
  Function function;
  torch::Tensor random_state;
  std::optional<torch::ScalarType> autocast;
};

class Recompute : public torch::autograd::Function<Recompute> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               at::TensorList parameters, const c10::intrusive_ptr<Call>& call) {
    torch::autograd::variable_list saved{x};
    saved.insert(saved.end(), parameters.begin(), parameters.end());
    context->save_for_backward(saved);
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    const Autocast same(call->autocast, x.device().type());
    return call->function(x);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& d_output) {
    const auto call = c10::static_intrusive_pointer_cast<Call>(context->saved_data["call"].toCapsule());
    torch::autograd::variable_list inputs = context->get_saved_variables();
    const bool of_x = inputs[0].requires_grad();
    inputs[0] = inputs[0].detach().requires_grad_(of_x);
    torch::Tensor output;
    {
      const torch::AutoGradMode with_gradients(true);
      const torch::Device device = inputs[0].device();
      const Autocast same(call->autocast, device.type());
      const torch::Tensor now = random_state(device);
      set_random_state(call->random_state, device);
      output = call->function(inputs[0]);
      set_random_state(now, device);
    }
    torch::autograd::variable_list with, gradients;
    for (const torch::Tensor& input : inputs)
      if (input.requires_grad()) with.push_back(input);
    const auto found = torch::autograd::grad({output}, with, d_output);
    std::size_t next = 0;
    for (const torch::Tensor& input : inputs)
      gradients.push_back(input.requires_grad() ? found[next++] : torch::Tensor());
    gradients.emplace_back();  // of the call
    return gradients;
  }
};

}  // namespace

torch::Tensor recompute(Function function, const torch::Tensor& x,
                        const std::vector<torch::Tensor>& parameters) {
  auto call = c10::make_intrusive<Call>();
  call->function = std::move(function);
  call->random_state = random_state(x.device());
  call->autocast = autocast_dtype(x.device().type());
  return Recompute::apply(x, at::TensorList(parameters), call);
}

}  // namespace cosformer::nn
