#include "train/stop_signal.h"

#include <csignal>

namespace cosformer::train {
namespace {

volatile std::sig_atomic_t signal_received = 0;

void note(int signal) {
  signal_received = signal;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace

StopSignal::StopSignal() {
  signal_received = 0;
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

StopSignal::~StopSignal() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

const char* StopSignal::received() const {
  if (signal_received == 0) return nullptr;
  return signal_received == SIGINT ? "SIGINT" : "SIGTERM";
}

}  // namespace cosformer::train
