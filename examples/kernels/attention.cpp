// Causal attention over 1,000 tokens and 8 heads and its gradients, by the kernels alone: C++ without
// LibTorch.
#include <cosformer/attention.h>

#include <cstdio>
#include <exception>
#include <utility>
#include <vector>

int main() try {
  constexpr int64_t T = 1000, H = 8, K = 64, size = T * H * K;
  std::vector<float> query(size), key(size), value(size), d_output(size, 1.0F);
  for (int64_t i = 0; i < size; ++i) {
    query[i] = static_cast<float>(i * 7919 % 1000) / 500 - 1;
    key[i] = static_cast<float>(i * 104729 % 1000) / 500 - 1;
    value[i] = static_cast<float>(i * 1299709 % 1000) / 500 - 1;
  }
  std::vector<float> output(size), denominator(T * H), d_query(size), d_key(size), d_value(size);

  const cosformer::AttentionShape shape = {.B = 1, .Tq = T, .Tk = T, .H = H, .G = H, .K = K, .V = K};
  const cosformer::AttentionOptions options = {.horizon = T, .causal = true};
  // [1, T, H, K] in memory: a sequence, a token and a head are that many elements apart.
  const auto view = [](auto& tensor) { return cosformer::View{tensor.data(), size, H * K, K}; };

  cosformer::AttentionForward<float> forward{.shape = shape, .options = options};
  forward.query = view(std::as_const(query));
  forward.key = view(std::as_const(key));
  forward.value = view(std::as_const(value));
  forward.output = view(output);
  forward.denominator = denominator.data();
  cosformer::attention_forward(forward);

  cosformer::AttentionBackward<float> backward{.shape = shape, .options = options};
  backward.query = forward.query;
  backward.key = forward.key;
  backward.value = forward.value;
  backward.output = view(std::as_const(output));
  backward.denominator = denominator.data();
  backward.d_output = view(std::as_const(d_output));
  backward.d_query = view(d_query);
  backward.d_key = view(d_key);
  backward.d_value = view(d_value);
  cosformer::attention_backward(backward);

  // A row of weights adds up to 1: where every output has the gradient 1, those of a column of values add up
  // to T.
  double sum = 0;
  for (int64_t t = 0; t < T; ++t) sum += d_value[t * H * K];
  std::printf("%s: last output %.4f, gradients of a column of values: %.3f of %d\n",
              name(cosformer::selected_isa()), output.back(), sum, static_cast<int>(T));
  return sum > T - 0.1 && sum < T + 0.1 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
