#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace cosformer::train {

/// Runs jobs one after another, in the order in which they were posted, on a thread of its own. So a
/// checkpoint is written while training goes on:
///
///   jobs.wait();                  // for the save before: one set of copies is held at a time
///   auto copy = ...;              // of all tensors, the only time that the step loses
///   jobs.post([copy = std::move(copy)] { store.save(...); });
///
/// What a job throws comes out of the next `post` or `wait`; jobs posted behind it are dropped, since they
/// may rely on it, and those posted afterwards run. One thread posts and waits.
class BackgroundJobs {
 public:
  BackgroundJobs();
  /// Finishes what was posted. What is thrown then is lost: call `wait` before where it matters.
  ~BackgroundJobs();
  BackgroundJobs(const BackgroundJobs&) = delete;
  BackgroundJobs& operator=(const BackgroundJobs&) = delete;

  /// Returns at once. @throws what an earlier job has thrown; `job` is not taken then
  void post(std::function<void()> job);

  /// Returns when all is done. @throws what a job has thrown
  void wait();

 private:
  void run();
  /// Under the lock.
  void rethrow();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;  ///< the first, moved from, is running
  std::exception_ptr failure_;
  bool ending_ = false;
  std::thread thread_;  ///< last: it uses the others
};

}  // namespace cosformer::train
