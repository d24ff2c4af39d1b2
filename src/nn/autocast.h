#pragma once

#include <torch/types.h>

#include <optional>

namespace cosformer::nn {

/// The dtype in which LibTorch's autocast runs products of this thread on a kind of device; none where it is
/// off.
std::optional<torch::ScalarType> autocast_dtype(torch::DeviceType device = torch::kCPU);

/// While this lives, autocast is on with `dtype`, or off without one, for this thread on that device: linear
/// layers and attention read their float32 operands rounded to it; norms, sums and what has no rule of its
/// own keep the dtype of their input. No rounded weight is kept for a second use: each is used once a
/// forward, and a copy made without gradients would cut a weight off from its gradient. The backward pass
/// takes the dtypes of the forward one and needs no guard.
class Autocast {
 public:
  explicit Autocast(std::optional<torch::ScalarType> dtype, torch::DeviceType device = torch::kCPU);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  struct State {
    bool enabled;
    torch::ScalarType dtype;
    bool keeps_weights;
  };
  void set(const State& state) const;

  torch::DeviceType device_;
  State before_;
};

}  // namespace cosformer::nn
