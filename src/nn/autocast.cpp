#include "nn/autocast.h"

#include <ATen/autocast_mode.h>

namespace cosformer::nn {

std::optional<torch::ScalarType> autocast_dtype() {
  if (!at::autocast::is_autocast_enabled(at::kCPU)) return std::nullopt;
  return at::autocast::get_autocast_dtype(at::kCPU);
}

Autocast::Autocast(std::optional<torch::ScalarType> dtype)
    : before_{at::autocast::is_autocast_enabled(at::kCPU), at::autocast::get_autocast_dtype(at::kCPU),
              at::autocast::is_autocast_cache_enabled()} {
  set({dtype.has_value(), dtype.value_or(before_.dtype), false});
}

Autocast::~Autocast() {
  set(before_);
}

void Autocast::set(const State& state) {
  at::autocast::set_autocast_enabled(at::kCPU, state.enabled);
  at::autocast::set_autocast_dtype(at::kCPU, state.dtype);
  at::autocast::set_autocast_cache_enabled(state.keeps_weights);
}

}  // namespace cosformer::nn
