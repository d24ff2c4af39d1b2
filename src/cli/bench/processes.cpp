#include "cli/bench/processes.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "cli/own_arguments.h"
#include "cosformer/error.h"

namespace cosformer::cli {
TemporaryFile::TemporaryFile()
    : path_((std::filesystem::temp_directory_path() / "cosformer-bench-XXXXXX").string()) {
  const int file = mkstemp(path_.data());
  if (file < 0) throw IoError(path_ + ": cannot create: " + std::strerror(errno));
  close(file);
}

TemporaryFile::~TemporaryFile() {
  unlink(path_.c_str());
}

int run_program(std::vector<std::string> arguments, const std::string& stdout_path) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, stdout_path.c_str(), O_WRONLY, 0);
  pid_t process = 0;
  const int error = posix_spawnp(&process, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return kNotFound;
  if (error != 0) throw IoError(arguments[0] + ": cannot be started: " + std::strerror(error));
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::vector<nlohmann::json> reports_of_processes(int count) {
  std::vector<nlohmann::json> reports;
  for (int i = 0; i < count; ++i) {
    const TemporaryFile file;
    // This process draws the chart.
    std::vector<std::string> arguments = own_arguments_without("--svg");
    arguments.insert(arguments.end(), {"--processes=1", "--json=" + file.path()});
    if (run_program(std::move(arguments), "/dev/null") != 0)
      throw std::runtime_error("bench: a process of the benchmark failed");
    std::ifstream text(file.path());
    reports.push_back(nlohmann::json::parse(text));
  }
  return reports;
}

}  // namespace cosformer::cli
