#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace cosformer::cli {

/// An empty file that goes away with this object.
class TemporaryFile {
 public:
  TemporaryFile();  ///< @throws IoError
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline constexpr int kNotFound = 127;  ///< as `env` and shells end where there is no such program

/// Runs a program, the first argument, with its stdout in a file, and waits for its end.
/// @return its exit code, -1 where a signal ended it
int run_program(std::vector<std::string> arguments, const std::string& stdout_path);

/// Runs this program `count` times, one after another, with the arguments that it was given itself and
/// `--processes=1 --json=FILE` behind them and without --svg, and reads what each wrote to FILE. What they
/// say on stderr is heard, their stdout is not.
/// @throws std::runtime_error if one cannot be started or fails
std::vector<nlohmann::json> reports_of_processes(int count);

}  // namespace cosformer::cli
