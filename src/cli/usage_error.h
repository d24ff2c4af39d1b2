#pragma once

#include <stdexcept>

namespace cosformer::cli {

/// What the command line alone shows to be wrong: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace cosformer::cli
