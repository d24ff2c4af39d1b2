#pragma once

#include <string>
#include <vector>

namespace cosformer::cli {

/// The command line of this process without a flag and its value; the program itself comes first, as a path
/// that starts it again.
/// @throws IoError
std::vector<std::string> own_arguments_without(const std::string& flag);

}  // namespace cosformer::cli
