#include "cli/profile/product_peak.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>

namespace cosformer::cli {

double product_peak(c10::Device device, c10::ScalarType type, int64_t size) {
  constexpr int kProducts = 8;  // the first are slower: libraries load, clocks rise
  const at::NoGradGuard no_gradients;
  const auto options = at::TensorOptions().device(device).dtype(type);
  const at::Tensor left = at::rand({size, size}, options), right = at::rand({size, size}, options);
  at::Tensor product = at::empty({size, size}, options);
  const c10::impl::VirtualGuardImpl guard(device.type());
  const auto wait = [&] {
    if (!device.is_cpu()) guard.synchronizeDevice(device.index());
  };
  double best = 0;
  for (int i = 0; i < kProducts; ++i) {
    wait();
    const auto start = std::chrono::steady_clock::now();
    at::mm_out(product, left, right);
    wait();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const auto n = static_cast<double>(size);
    best = std::max(best, 2 * n * n * n / seconds.count());
  }
  return best;
}

}  // namespace cosformer::cli
