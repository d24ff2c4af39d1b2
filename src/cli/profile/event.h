#pragma once

#include <cstdint>
#include <string>

namespace cosformer::cli {

/// A call of an operator of LibTorch, or of a marked stretch of the program.
struct OperatorEvent {
  std::string name;            ///< "aten::addmm", "GeluBackward0", kStepEvent
  uint64_t thread = 0;         ///< LibTorch's number of it
  int64_t begin = 0, end = 0;  ///< nanoseconds from the recorder's start
};

/// What encloses all that a step does.
inline constexpr const char* kStepEvent = "step";

}  // namespace cosformer::cli
