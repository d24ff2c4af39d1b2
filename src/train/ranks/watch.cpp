#include "train/ranks/watch.h"

#include <algorithm>
#include <exception>

#include "train/ranks/environment.h"

namespace cosformer::train {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A beat is "<number> <step>"; the last one "left" or "gone <reason>".
constexpr const char* kLeft = "left";
constexpr std::string_view kGone = "gone ";

std::string key(std::size_t rank) {
  return "beat/" + std::to_string(rank);
}

std::string text(const std::vector<uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::vector<std::string> keys_of(std::size_t ranks) {
  std::vector<std::string> keys;
  for (std::size_t rank = 0; rank < ranks; ++rank) keys.push_back(key(rank));
  return keys;
}

std::string step_of(const std::string& beat) {
  const std::size_t space = beat.find(' ');
  return space == std::string::npos ? "0" : beat.substr(space + 1);
}

std::string seconds(Clock::duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time + milliseconds(500)).count());
}

}  // namespace

Watch::Watch(c10::intrusive_ptr<c10d::Store> store, std::string store_name, std::vector<std::string> hosts,
             int64_t rank, milliseconds timeout)
    : shared_(std::make_shared<Shared>()) {
  shared_->hosts = std::move(hosts);
  shared_->store_name = std::move(store_name);
  shared_->rank = rank;
  // Noticed after the limit and an interval or two: within the timeout.
  shared_->limit = timeout * 7 / 10;
  shared_->interval = std::clamp(timeout / 20, milliseconds(20), milliseconds(1000));
  shared_->last_round = Clock::now();
  shared_->seen.assign(shared_->hosts.size(), {"", Clock::now()});
  beats_ = std::thread([shared = shared_, store = std::move(store)] { beat(shared, store); });
  comparisons_ = std::thread([shared = shared_] { compare(shared); });
}

Watch::~Watch() {
  end(kLeft);
  comparisons_.join();
  const std::unique_lock lock(shared_->mutex);
  shared_->beats_ended ? beats_.join() : beats_.detach();
}

void Watch::beat(const std::shared_ptr<Shared>& shared, const c10::intrusive_ptr<c10d::Store>& store) {
  const std::vector<std::string> keys = keys_of(shared->hosts.size());
  const auto write = [&](const std::string& value) {
    store->set(keys[static_cast<std::size_t>(shared->rank)], value);
  };
  try {
    for (int64_t number = 1;; ++number) {
      write(std::to_string(number) + ' ' + std::to_string(shared->step));
      std::vector<std::string> beats;
      for (const auto& value : store->multiGet(keys)) beats.push_back(text(value));
      std::unique_lock lock(shared->mutex);
      const Clock::time_point now = shared->last_round = Clock::now();
      for (std::size_t rank = 0; rank < keys.size(); ++rank) {
        if (shared->seen[rank].beat != beats[rank]) shared->seen[rank] = {beats[rank], now};
      }
      shared->changed.wait_for(lock, shared->interval, [&] { return shared->ends; });
      if (!shared->ends) continue;
      const std::string farewell = shared->farewell;
      lock.unlock();
      write(farewell);
      break;
    }
  } catch (const std::exception&) {
    std::unique_lock lock(shared->mutex);
    fail(*shared, lock,
         "the store at " + shared->store_name + " is gone, after step " + std::to_string(shared->step));
  }
  const std::unique_lock lock(shared->mutex);
  shared->beats_ended = true;
  shared->changed.notify_all();
}

void Watch::compare(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  while (!shared->ends) {
    if (!shared->failure) {
      const Clock::time_point now = Clock::now();
      std::string failure;
      if (now - shared->last_round > shared->limit) {
        failure = "the store at " + shared->store_name + " has not answered for " +
                  seconds(now - shared->last_round) + " s, after step " + std::to_string(shared->step);
      } else {
        for (std::size_t rank = 0; rank < shared->seen.size(); ++rank) {
          const Seen& seen = shared->seen[rank];
          const std::string who = "rank " + std::to_string(rank) + " on " + shared->hosts[rank];
          if (seen.beat.starts_with(kGone)) {
            failure += (failure.empty() ? "" : "; ") + who + " ended: " + seen.beat.substr(kGone.size());
          } else if (seen.beat != kLeft && now - seen.changed > shared->limit) {
            failure += (failure.empty() ? "" : "; ") + who + " has not answered for " +
                       seconds(now - seen.changed) + " s, after step " + step_of(seen.beat);
          }
        }
      }
      if (!failure.empty()) fail(*shared, lock, failure);
    }
    shared->changed.wait_for(lock, shared->interval / 2, [&] { return shared->ends; });
  }
}

void Watch::fail(Shared& shared, std::unique_lock<std::mutex>& lock, const std::string& failure) {
  if (!shared.failure) shared.failure = failure;
  const auto error = std::make_exception_ptr(RankError(*shared.failure));
  std::vector<Guarded> guarded;
  guarded.swap(shared.guarded);
  // They may hang as what they end does.
  for (auto& action : shared.on_failure) std::thread(std::move(action)).detach();
  shared.on_failure.clear();
  lock.unlock();
  // Their callbacks run here.
  for (const Guarded& future : guarded) future->setErrorIfNeeded(error);
  lock.lock();
  shared.changed.notify_all();
}

c10::intrusive_ptr<c10::ivalue::Future> Watch::guard(const c10::intrusive_ptr<c10d::Work>& work) {
  const auto future = work->getFuture();
  auto guarded = c10::make_intrusive<c10::ivalue::Future>(future->elementType(), future->devices());
  {
    const std::unique_lock lock(shared_->mutex);
    if (shared_->failure) {
      guarded->setError(std::make_exception_ptr(RankError(*shared_->failure)));
      return guarded;
    }
    shared_->guarded.push_back(guarded);
  }
  // An error of the work itself waits for the watch, which knows whose fault it is.
  future->addCallback([guarded, shared = shared_](c10::ivalue::Future& done) {
    std::unique_lock lock(shared->mutex);
    const auto place = std::find(shared->guarded.begin(), shared->guarded.end(), guarded);
    if (place == shared->guarded.end()) return;
    if (done.hasError()) {
      const std::string error = done.tryRetrieveErrorMessage();
      shared->changed.wait_for(lock, shared->limit + 2 * shared->interval,
                               [&] { return shared->failure || shared->ends; });
      if (!shared->failure) fail(*shared, lock, "communication failed: " + error.substr(0, error.find('\n')));
      return;
    }
    shared->guarded.erase(place);
    lock.unlock();
    guarded->markCompleted(done.value());
  });
  return guarded;
}

void Watch::on_failure(std::function<void()> action) {
  const std::unique_lock lock(shared_->mutex);
  shared_->on_failure.push_back(std::move(action));
}

void Watch::explain(const std::string& error) {
  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait_for(lock, shared_->limit + 2 * shared_->interval,
                            [&] { return shared_->failure.has_value(); });
  throw RankError(shared_->failure.value_or("communication failed: " + error.substr(0, error.find('\n'))));
}

bool Watch::failed() const {
  const std::unique_lock lock(shared_->mutex);
  return shared_->failure.has_value();
}

bool Watch::all_ended(c10d::Store& store, std::size_t ranks) {
  return std::ranges::all_of(store.multiGet(keys_of(ranks)), [](const std::vector<uint8_t>& bytes) {
    const std::string beat = text(bytes);
    return beat == kLeft || beat.starts_with(kGone);
  });
}

void Watch::give_up(const std::string& reason) {
  end(std::string(kGone) + reason);
}

void Watch::end(const std::string& farewell) {
  std::unique_lock lock(shared_->mutex);
  if (!shared_->ends) {
    shared_->farewell = farewell;
    shared_->ends = true;
    shared_->changed.notify_all();
  }
  shared_->changed.wait_for(lock, shared_->interval * 5, [&] { return shared_->beats_ended; });
}

}  // namespace cosformer::train
