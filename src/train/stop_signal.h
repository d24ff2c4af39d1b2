#pragma once

namespace cosformer::train {

/// While this lives, the first SIGINT or SIGTERM is only noted; the second one ends the process at once.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// The name of the signal that came, nullptr before.
  const char* received() const;
};

}  // namespace cosformer::train
