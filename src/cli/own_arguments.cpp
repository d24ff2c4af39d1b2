#include "cli/own_arguments.h"

#include <fstream>

#include "cosformer/error.h"

namespace cosformer::cli {

std::vector<std::string> own_arguments_without(const std::string& flag) {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string argument; std::getline(file, argument, '\0');) {
    if (argument == flag)
      std::getline(file, argument, '\0');
    else if (!argument.starts_with(flag + '='))
      arguments.push_back(argument);
  }
  if (arguments.empty()) throw IoError("/proc/self/cmdline: cannot be read");
  arguments[0] = "/proc/self/exe";
  return arguments;
}

}  // namespace cosformer::cli
