#include "nn/autocast.h"

#include <ATen/autocast_mode.h>

namespace cosformer::nn {

std::optional<torch::ScalarType> autocast_dtype(torch::DeviceType device) {
  if (!at::autocast::is_autocast_enabled(device)) return std::nullopt;
  return at::autocast::get_autocast_dtype(device);
}

Autocast::Autocast(std::optional<torch::ScalarType> dtype, torch::DeviceType device)
    : device_(device),
      before_{at::autocast::is_autocast_enabled(device), at::autocast::get_autocast_dtype(device),
              at::autocast::is_autocast_cache_enabled()} {
  set({dtype.has_value(), dtype.value_or(before_.dtype), false});
}

Autocast::~Autocast() {
  set(before_);
}

void Autocast::set(const State& state) const {
  at::autocast::set_autocast_enabled(device_, state.enabled);
  at::autocast::set_autocast_dtype(device_, state.dtype);
  at::autocast::set_autocast_cache_enabled(state.keeps_weights);
}

}  // namespace cosformer::nn
