#include <cosformer/attention.h>

#include <cmath>
#include <cstdio>

int main() {
  // One head, two tokens, widths 1: the second output averages the values 1 and 3 with weights cos(pi/4)
  // and 1.
  const float query[] = {1, 1}, key[] = {1, 1}, value[] = {1, 3};
  float output[2] = {};
  cosformer::AttentionForward<float> args;
  args.shape = {.B = 1, .Tq = 2, .Tk = 2, .H = 1, .G = 1, .K = 1, .V = 1};
  args.options = {.horizon = 2, .causal = true};
  args.query = {query, 2, 1, 1};
  args.key = {key, 2, 1, 1};
  args.value = {value, 2, 1, 1};
  args.output = {output, 2, 1, 1};
  cosformer::attention_forward(args);
  const double near = std::sqrt(0.5), expected = (near + 3) / (near + 1);
  std::printf("%s: %g %g, expected 1 %g\n", name(cosformer::selected_isa()), output[0], output[1], expected);
  return std::abs(output[0] - 1) < 1e-6 && std::abs(output[1] - expected) < 1e-6 ? 0 : 1;
}
