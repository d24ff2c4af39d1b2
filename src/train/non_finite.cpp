#include "train/non_finite.h"

#include <torch/autograd.h>

#include <cmath>
#include <sstream>

#include "nn/inspection.h"
#include "train/evaluation.h"

namespace cosformer::train {
namespace {

/// The first thing that was not finite, of those it is shown.
class Search {
 public:
  void look(const std::string& name, const char* part, const torch::Tensor& tensor) {
    if (!found_.empty()) return;
    const torch::NoGradGuard no_gradients;
    const torch::Tensor wrong = tensor.masked_select(at::isfinite(tensor).logical_not());
    if (wrong.numel() == 0) return;
    std::ostringstream text;
    text << wrong[0].item<double>() << ": " << name << ": " << wrong.numel() << " of " << tensor.numel()
         << " elements of its " << part << ' ' << tensor.sizes() << " are not finite";
    found_ = text.str();
  }
  /// "nan: layer norm: 1 of 2 elements of its output [1, 2] are not finite", or nothing.
  const std::string& found() const { return found_; }

 private:
  std::string found_;
};

using Hooks = std::vector<std::pair<torch::Tensor, unsigned>>;

Hooks watch_gradients(nn::LanguageModel& model, Search& search) {
  Hooks hooks;
  for (const auto& parameter : model->named_parameters()) {
    hooks.emplace_back(parameter.value(),
                       parameter.value().register_hook([&search, name = parameter.key()](torch::Tensor d) {
                         search.look("parameter " + name, "gradient", d);
                       }));
  }
  return hooks;
}

/// Where each gradient is finite, but not all that is made of them.
void look_at_sums(nn::LanguageModel& model, const std::vector<torch::Tensor>& sums, Search& search) {
  const auto parameters = model->named_parameters();
  for (std::size_t i = parameters.size(); i-- > 0;) {
    if (!sums[i].defined()) continue;
    search.look("parameter " + parameters[i].key(), "summed gradient", sums[i]);
    search.look("parameter " + parameters[i].key(), "gradient's norm", at::linalg_vector_norm(sums[i], 2));
  }
}

}  // namespace

std::optional<std::string> find_non_finite(nn::LanguageModel& model, std::vector<data::Batch>& batches,
                                           nn::ForwardOptions options, int64_t number) {
  options.recompute = false;
  options.divisor = 0;
  for (const data::Batch& batch : batches) *options.divisor += batch.predicted;
  Search forward, backward;
  const Hooks hooks = watch_gradients(model, backward);
  std::vector<torch::Tensor> sums(hooks.size());
  bool is_loss = false;
  for (data::Batch& batch : batches) {
    const BatchTensors tensors(batch, model->device());
    const nn::Inspection inspection([&](const std::string& layer, const torch::Tensor& output) {
      forward.look("layer " + layer, "output", output);
      if (!output.requires_grad()) return;
      output.register_hook(
          [&backward, layer](torch::Tensor d) { backward.look("layer " + layer, "output's gradient", d); });
    });
    const torch::Tensor loss = model->loss(tensors.inputs, tensors.targets, options);
    is_loss = !std::isfinite(loss.item<double>());
    if (is_loss) {
      forward.look("loss", "value", loss);
      break;
    }
    // No accumulator runs, so that nothing is exchanged with other processes.
    const auto gradients = torch::autograd::grad({loss}, model->parameters());
    for (std::size_t i = 0; i < gradients.size(); ++i)
      sums[i] = sums[i].defined() ? sums[i] + gradients[i] : gradients[i];
    if (!backward.found().empty()) break;
  }
  if (!is_loss) look_at_sums(model, sums, backward);
  for (auto [tensor, hook] : hooks) tensor.remove_hook(hook);
  const std::string& found = is_loss ? forward.found() : backward.found();
  if (found.empty()) return std::nullopt;
  return "step " + std::to_string(number) + ": expected a finite " + (is_loss ? "loss" : "gradient") +
         ", got " + found;
}

}  // namespace cosformer::train
