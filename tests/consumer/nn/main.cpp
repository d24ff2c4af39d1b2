#include <cosformer/nn/language_model.h>

#include <cstdio>

int main() {
  // Logits of a whole sequence, and of its last token by the recurrence.
  torch::manual_seed(1);
  cosformer::nn::LanguageModel model(cosformer::nn::LanguageModelConfig{
      .layers = 2, .width = 32, .heads = 4, .ffn_width = 64, .horizon = 16});
  model->eval();
  const torch::NoGradGuard no_gradients;
  const torch::Tensor tokens = torch::randint(256, {2, 16}, torch::kLong);
  const torch::Tensor logits = model->forward(tokens);
  cosformer::nn::DecoderState state = model->initial_state(2);
  model->prefill(tokens.narrow(1, 0, 15), state);
  const torch::Tensor last = model->step(tokens.select(1, 15), state);
  const bool equal = logits.sizes() == torch::IntArrayRef({2, 16, 256}) &&
                     torch::allclose(last, logits.select(1, 15), 1e-4, 1e-5);
  std::printf("forward and step %s\n", equal ? "agree" : "differ");
  return equal ? 0 : 1;
}
