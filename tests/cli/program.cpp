#include "cli/program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/temporary_folder.h"

namespace cosformer::cli::test {

Program::Program(const std::string& folder, std::vector<std::string> arguments) : folder_(folder) {
  arguments.insert(arguments.begin(), COSFORMER_PROGRAM);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string out = folder_ + "/out", err = folder_ + "/err";
  // Emptied here, not by the child, so that out() never shows what an earlier program wrote.
  const int out_file = open(out.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  const int err_file = open(err.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  process_ = fork();
  if (process_ != 0) {
    close(out_file);
    close(err_file);
    return;
  }
  dup2(out_file, STDOUT_FILENO);
  dup2(err_file, STDERR_FILENO);
  execv(argv[0], argv.data());
  _exit(127);
}

void Program::signal(int number) const {
  kill(process_, number);
}

std::string Program::out() const {
  return cosformer::test::read_text(folder_ + "/out");
}

Ended Program::wait() const {
  int status = 0;
  waitpid(process_, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out(), cosformer::test::read_text(folder_ + "/err")};
}

}  // namespace cosformer::cli::test
