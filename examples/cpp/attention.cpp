#include <ATen/ops/rand.h>
#include <cosformer/ops/attention.h>

#include <iostream>

int main() {
  // [batch, time, heads, width]; positions must stay below the horizon.
  const at::Tensor query = at::rand({1, 4096, 8, 64}).requires_grad_();
  const at::Tensor key = at::rand({1, 4096, 8, 64}), value = at::rand({1, 4096, 8, 64});
  const at::Tensor output = cosformer::ops::attention(query, key, value, /*horizon=*/4096, /*causal=*/true);
  output.sum().backward();
  std::cout << "output " << output.sizes() << ", gradient of query " << query.grad().sizes() << '\n';
}
