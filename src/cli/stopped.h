#pragma once

#include <stdexcept>

namespace cosformer::cli {

/// Stopped before the end, with everything written that is needed to go on: exit code 3.
class Stopped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Processes that this one started have said what there is to say: ends with their exit code.
struct SaidBefore {
  int code;
};

}  // namespace cosformer::cli
