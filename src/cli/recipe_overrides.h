#pragma once

#include <string>
#include <vector>

#include "cli/usage_error.h"

namespace cosformer::cli {

/// key=value for each --key=value, what a verb with a recipe leaves of its arguments.
/// @throws UsageError for another argument
inline std::vector<std::string> recipe_overrides(const std::vector<std::string>& arguments) {
  std::vector<std::string> overrides;
  for (const std::string& argument : arguments) {
    if (!argument.starts_with("--")) throw UsageError(argument + ": expected an override --key=value");
    overrides.push_back(argument.substr(2));
  }
  return overrides;
}

}  // namespace cosformer::cli
