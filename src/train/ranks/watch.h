#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>
#include <vector>

namespace cosformer::train {

/// Looks after the ranks of a run: each writes a beat into the store several times a second, from a thread of
/// its own, and reads those of the others. One that was killed, stopped or cut off, or that ended with an
/// error, is noticed within the timeout whatever this process waits for, and named.
///
/// A thread that blocks in the store cannot watch itself: a second one compares times alone.
class Watch {
 public:
  /// @param store connection of its own
  /// @param hosts of the ranks
  Watch(c10::intrusive_ptr<c10d::Store> store, std::string store_name, std::vector<std::string> hosts,
        int64_t rank, std::chrono::milliseconds timeout);
  /// Ends quietly: the others no longer expect this rank's beats.
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// What the others read as this rank's step.
  void at_step(int64_t step) { shared_->step = step; }
  /// Tells the others why this rank ends; waits until that is written or the store does not answer.
  void give_up(const std::string& reason);

  /// A future with the work's results, or its error; if a rank is gone, a RankError that names it. What is
  /// done on a GPU counts as done once its stream has it: until then, see `on_failure`.
  c10::intrusive_ptr<c10::ivalue::Future> guard(const c10::intrusive_ptr<c10d::Work>& work);
  /// An error of communication as RankError, once it is known which rank caused it, or after the timeout.
  [[noreturn]] void explain(const std::string& error);

  /// Called once a rank is gone, on a thread of its own: to end what waits on a GPU, so that this rank goes
  /// on to where the failure is thrown.
  void on_failure(std::function<void()> action);

  bool failed() const;
  /// Whether each rank has written its last beat: it waits for no other any more.
  static bool all_ended(c10d::Store& store, std::size_t ranks);

 private:
  struct Seen {
    std::string beat;
    std::chrono::steady_clock::time_point changed;
  };
  using Guarded = c10::intrusive_ptr<c10::ivalue::Future>;
  /// Outlives this where a thread cannot be joined because the store does not answer.
  struct Shared {
    std::vector<std::string> hosts;
    std::string store_name;
    int64_t rank;
    std::chrono::milliseconds interval, limit;
    std::atomic<int64_t> step{0};

    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Seen> seen;
    std::chrono::steady_clock::time_point last_round;
    std::optional<std::string> failure;
    std::string farewell;  ///< what the last beat is to say
    bool ends = false, beats_ended = false;
    std::vector<Guarded> guarded;
    std::vector<std::function<void()>> on_failure;
  };
  static void beat(const std::shared_ptr<Shared>& shared, const c10::intrusive_ptr<c10d::Store>& store);
  static void compare(const std::shared_ptr<Shared>& shared);
  static void fail(Shared& shared, std::unique_lock<std::mutex>& lock, const std::string& failure);
  void end(const std::string& farewell);

  std::shared_ptr<Shared> shared_;
  std::thread beats_, comparisons_;
};

}  // namespace cosformer::train
