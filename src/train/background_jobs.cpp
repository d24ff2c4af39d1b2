#include "train/background_jobs.h"

#include <utility>

namespace cosformer::train {

BackgroundJobs::BackgroundJobs() : thread_([this] { run(); }) {}

BackgroundJobs::~BackgroundJobs() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BackgroundJobs::post(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    rethrow();
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

void BackgroundJobs::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return jobs_.empty(); });
  rethrow();
}

void BackgroundJobs::rethrow() {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void BackgroundJobs::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::function<void()> job = std::move(jobs_.front());
    lock.unlock();
    std::exception_ptr failure;
    try {
      job();
    } catch (...) {
      failure = std::current_exception();
    }
    job = nullptr;  // What it holds is free before anyone learns that it is done.
    lock.lock();
    if (failure) {
      failure_ = failure;
      jobs_.clear();
    } else {
      jobs_.pop_front();
    }
    changed_.notify_all();
  }
}

}  // namespace cosformer::train
