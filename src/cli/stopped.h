#pragma once

#include <stdexcept>

namespace cosformer::cli {

/// Stopped before the end, with everything written that is needed to go on: exit code 3.
class Stopped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace cosformer::cli
