#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <cosformer/ops/attention.h>

#include <cstdio>

int main() {
  // A sequence in two stretches, joined by the state, gives what one call gives.
  const int64_t horizon = 16;
  const at::Tensor q = at::rand({2, 10, 3, 4}), k = at::rand({2, 10, 3, 4}), v = at::rand({2, 10, 3, 5});
  const at::Tensor whole = cosformer::ops::attention(q, k, v, horizon, /*causal=*/true);
  at::Tensor S = at::zeros({2, 3, 2, 4, 5}), z = at::zeros({2, 3, 2, 4}),
             position = at::zeros({2}, at::kLong);
  at::Tensor parts[2];
  for (int part = 0; part < 2; ++part) {
    const auto stretch = [part](const at::Tensor& x) { return x.narrow(1, part * 5, 5); };
    std::tie(parts[part], S, z, position) =
        cosformer::ops::attention_stateful(stretch(q), stretch(k), stretch(v), S, z, position, horizon);
  }
  const bool equal = at::allclose(at::cat({parts[0], parts[1]}, 1), whole, 1e-4, 1e-5);
  std::printf("two stretches and one call %s\n", equal ? "agree" : "differ");
  return equal ? 0 : 1;
}
