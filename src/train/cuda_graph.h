#pragma once

#include <functional>

namespace cosformer::train {

/// How work on a device is captured: what a function queues there is recorded once, and then started as a
/// whole, without the function.
struct GraphCapture {
  using Work = std::function<void()>;

  /// Does the work on the stream that capture takes, so that libraries have set up what they set up once.
  std::function<void(const Work&)> warm_up;
  /// Records the work without doing it. What comes back does it, in the memory that it reads and writes now.
  std::function<Work(const Work&)> capture;
};

/// By CUDA graphs. Random numbers of LibTorch's generator follow those drawn before, as they do without.
/// In builds without CUDA both functions throw DeviceError.
GraphCapture cuda_graphs();

}  // namespace cosformer::train
