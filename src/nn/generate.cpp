#include "cosformer/nn/generate.h"

#include <string>

namespace cosformer::nn {
namespace {

/// Evaluation mode for as long as this lives.
class EvaluationMode {
 public:
  explicit EvaluationMode(torch::nn::Module& module) : module_(module), was_training_(module.is_training()) {
    module_.eval();
  }
  ~EvaluationMode() { module_.train(was_training_); }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  torch::nn::Module& module_;
  bool was_training_;
};

void check_prompt(const LanguageModelImpl& model, std::span<const int64_t> prompt, int64_t tokens) {
  if (tokens < 0) {
    throw ShapeError("tokens: expected an integer >= 0, got " + std::to_string(tokens));
  }
  if (prompt.empty()) {
    throw ShapeError("prompt: expected at least one token, got 0");
  }
  const int64_t vocabulary_size = model.config().vocabulary_size;
  for (size_t i = 0; i < prompt.size(); ++i) {
    if (prompt[i] < 0 || prompt[i] >= vocabulary_size) {
      throw ShapeError("prompt: expected tokens from 0 to " + std::to_string(vocabulary_size - 1) + ", got " +
                       std::to_string(prompt[i]) + " at position " + std::to_string(i));
    }
  }
  // The last new token is not read again.
  model.check_positions(0, static_cast<int64_t>(prompt.size()) + std::max<int64_t>(tokens - 1, 0));
}

}  // namespace

std::vector<int64_t> generate(LanguageModel& model, std::span<const int64_t> prompt,
                              const GenerationOptions& options,
                              const std::function<bool(int64_t)>& on_token) {
  Sampler sampler(options.sampling, options.seed);
  check_prompt(*model, prompt, options.tokens);
  const torch::NoGradGuard no_gradients;
  const EvaluationMode evaluation(*model);

  std::vector<int64_t> text;
  DecoderState state = model->initial_state(1);
  const auto tokens_there = torch::dtype(torch::kInt64).device(model->device());
  torch::Tensor read = torch::tensor(at::ArrayRef<int64_t>(prompt.data(), prompt.size()), tokens_there);
  for (int64_t i = 0; i < options.tokens; ++i) {
    const torch::Tensor logits =
        model->prefill(read.unsqueeze(0), state).to(torch::kCPU, torch::kFloat32).contiguous();
    text.push_back(sampler.sample({logits.const_data_ptr<float>(), static_cast<size_t>(logits.numel())}));
    if (on_token && !on_token(text.back())) {
      break;
    }
    read = torch::tensor({text.back()}, tokens_there);
  }
  return text;
}

}  // namespace cosformer::nn
