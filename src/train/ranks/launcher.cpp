#include "train/ranks/launcher.h"

#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "train/ranks/environment.h"

namespace cosformer::train {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) {
  throw RankError(std::string("ranks: cannot ") + what + ": " + std::strerror(errno));
}

/// A socket that listens on the loopback address at a free port.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* general = reinterpret_cast<sockaddr*>(&address);
    if (socket_ < 0 || ::bind(socket_, general, size) != 0 || ::listen(socket_, SOMAXCONN) != 0 ||
        ::getsockname(socket_, general, &size) != 0)
      fail("listen on 127.0.0.1");
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { ::close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  int socket() const { return socket_; }
  int port() const { return port_; }

 private:
  int socket_, port_;
};

/// While this lives, the signals that concern the ranks wait to be taken.
class HeldSignals {
 public:
  HeldSignals() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&set_, signal);
    sigprocmask(SIG_BLOCK, &set_, &before_);
  }
  ~HeldSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  /// The next one, or none within a quarter of a second.
  std::optional<int> next() const {
    const timespec time{0, 250'000'000};
    const int signal = sigtimedwait(&set_, nullptr, &time);
    return signal > 0 ? std::optional(signal) : std::nullopt;
  }
  const sigset_t& before() const { return before_; }

 private:
  sigset_t set_, before_;
};

[[noreturn]] void become_rank(const std::vector<std::string>& command, int64_t rank, int64_t count,
                              const Listener& listener, const HeldSignals& signals, pid_t launcher) {
  // A group of its own: a terminal's Ctrl-C comes by way of the launcher, once.
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != launcher) ::_exit(1);
  sigprocmask(SIG_SETMASK, &signals.before(), nullptr);
  const auto set = [](const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); };
  for (const char* name : {"RANK", "LOCAL_RANK"}) set(name, std::to_string(rank));
  for (const char* name : {"WORLD_SIZE", "LOCAL_WORLD_SIZE"}) set(name, std::to_string(count));
  set("MASTER_ADDR", "127.0.0.1");
  set("MASTER_PORT", std::to_string(listener.port()));
  for (const char* name :
       {"TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RESTART_COUNT", "COSFORMER_LISTENER"})
    ::unsetenv(name);
  if (rank == 0) {
    set("COSFORMER_LISTENER", std::to_string(listener.socket()));
  } else {
    ::close(listener.socket());
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

int launch_ranks(const std::vector<std::string>& command, int64_t count, std::chrono::milliseconds patience) {
  const HeldSignals signals;
  std::vector<pid_t> running;
  {
    const Listener listener;
    const pid_t launcher = ::getpid();
    for (int64_t rank = 0; rank < count; ++rank) {
      const pid_t child = ::fork();
      if (child == 0) become_rank(command, rank, count, listener, signals, launcher);
      if (child < 0) {
        for (const pid_t other : running) ::kill(other, SIGKILL);
        fail("start a process");
      }
      running.push_back(child);
    }
  }
  int code = 0;
  std::optional<Clock::time_point> last_moment;
  const auto send = [&](int signal) {
    for (const pid_t child : running) ::kill(child, signal);
  };
  while (!running.empty()) {
    const std::optional<int> signal = signals.next();
    if (signal && *signal != SIGCHLD) send(*signal);
    std::erase_if(running, [&](pid_t child) {
      int status = 0;
      if (::waitpid(child, &status, WNOHANG) != child) return false;
      const int of_child = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
      code = of_child == 0 ? code : of_child == 3 ? std::max(code, 3) : 4;
      return true;
    });
    if (code == 4 && !last_moment) last_moment = Clock::now() + patience;
    if (last_moment && Clock::now() > *last_moment) send(SIGKILL);
  }
  return code == 4 ? 1 : code;
}

}  // namespace cosformer::train
