#pragma once

#include <vector>

#include "cli/profile/event.h"

namespace cosformer::cli {

/// Records the operators that all threads call while it lives, by LibTorch's own observers; about a
/// microsecond a call. One at a time.
class OperatorRecorder {
 public:
  OperatorRecorder();
  ~OperatorRecorder();
  OperatorRecorder(const OperatorRecorder&) = delete;
  OperatorRecorder& operator=(const OperatorRecorder&) = delete;

  /// What ended so far, by descending depth where intervals are nested: a call follows those that it made.
  std::vector<OperatorEvent> events() const;
  /// LibTorch's number of the calling thread.
  static uint64_t this_thread();

 private:
  uint64_t handle_;
};

}  // namespace cosformer::cli
