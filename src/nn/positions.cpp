#include "nn/positions.h"

#include <cmath>

namespace cosformer::nn {

torch::Tensor sinusoidal_positions(int64_t begin, int64_t count, int64_t width,
                                   const torch::TensorOptions& options) {
  const auto exact = options.dtype(torch::kFloat64);
  const torch::Tensor rates = at::exp(torch::arange(0, width, 2, exact) * (-std::log(10000.0) / width));
  const torch::Tensor angles = torch::arange(begin, begin + count, exact).unsqueeze(1) * rates;
  return at::stack({at::sin(angles), at::cos(angles)}, -1).view({count, width}).to(options);
}

}  // namespace cosformer::nn
