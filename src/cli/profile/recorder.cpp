#include "cli/profile/recorder.h"

#include <ATen/record_function.h>

#include <chrono>
#include <mutex>

namespace cosformer::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// LibTorch's callbacks are plain functions, so what they write to is one for the program.
struct Record {
  std::mutex mutex;
  Clock::time_point start;
  std::vector<OperatorEvent> events;
};

Record& record() {
  static Record all;
  return all;
}

struct Begin : at::ObserverContext {
  Clock::time_point time = Clock::now();
};

std::unique_ptr<at::ObserverContext> on_begin(const at::RecordFunction&) {
  return std::make_unique<Begin>();
}

void on_end(const at::RecordFunction& call, at::ObserverContext* context) {
  const Clock::time_point end = Clock::now(), begin = static_cast<Begin*>(context)->time;
  Record& all = record();
  const std::lock_guard lock(all.mutex);
  const auto since_start = [&](Clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time - all.start).count();
  };
  all.events.push_back({call.name(), call.threadId(), since_start(begin), since_start(end)});
}

}  // namespace

OperatorRecorder::OperatorRecorder() {
  Record& all = record();
  {
    const std::lock_guard lock(all.mutex);
    all.events.clear();
    all.start = Clock::now();
  }
  handle_ = at::addGlobalCallback(at::RecordFunctionCallback(on_begin, on_end)
                                      .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION,
                                               at::RecordScope::USER_SCOPE}));
}

OperatorRecorder::~OperatorRecorder() {
  at::removeCallback(handle_);
}

std::vector<OperatorEvent> OperatorRecorder::events() const {
  const std::lock_guard lock(record().mutex);
  return record().events;
}

uint64_t OperatorRecorder::this_thread() {
  return at::RecordFunction::currentThreadId();
}

}  // namespace cosformer::cli
