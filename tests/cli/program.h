#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace cosformer::cli::test {

/// How the program `cosformer` ended and what it wrote.
struct Ended {
  int exit_code;  ///< -1: killed by a signal
  std::string out, err;
};

/// The program, started with these arguments; it writes into two files in a folder.
class Program {
 public:
  Program(const std::string& folder, std::vector<std::string> arguments);
  void signal(int number) const;
  Ended wait() const;
  /// What it has written to stdout so far.
  std::string out() const;

 private:
  std::string folder_;
  pid_t process_;
};

}  // namespace cosformer::cli::test
