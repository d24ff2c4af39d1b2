#pragma once

#include <torch/types.h>

#include <optional>

namespace cosformer::nn {

/// The dtype in which LibTorch's autocast runs products of this thread on the CPU; none where it is off.
std::optional<torch::ScalarType> autocast_dtype();

/// While this lives, autocast is on with `dtype`, or off without one, for this thread on the CPU: linear
/// layers and attention read their float32 operands rounded to it; norms, sums and what has no rule of its
/// own keep the dtype of their input. No rounded weight is kept for a second use: each is used once a
/// forward, and a copy made without gradients would cut a weight off from its gradient. The backward pass
/// takes the dtypes of the forward one and needs no guard.
class Autocast {
 public:
  explicit Autocast(std::optional<torch::ScalarType> dtype);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  struct State {
    bool enabled;
    torch::ScalarType dtype;
    bool keeps_weights;
  };
  static void set(const State& state);

  State before_;
};

}  // namespace cosformer::nn
