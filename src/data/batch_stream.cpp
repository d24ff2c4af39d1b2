#include "data/batch_stream.h"

#include <chrono>
#include <utility>

namespace cosformer::data {

BatchStream::BatchStream(Sequences sequences, Sizes sizes, uint64_t seed, std::size_t ahead)
    : sequences_(std::move(sequences)),
      sizes_(sizes),
      ahead_(ahead),
      order_(sequences_.count(), seed),
      thread_([this] { prepare(); }) {}

BatchStream::~BatchStream() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  wanted_.notify_one();
  thread_.join();
}

std::vector<Batch> BatchStream::next() {
  std::vector<Batch> batches;
  {
    std::unique_lock lock(mutex_);
    if (steps_.empty() && !error_) {
      const auto start = std::chrono::steady_clock::now();
      prepared_.wait(lock, [this] { return !steps_.empty() || error_; });
      seconds_waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    if (steps_.empty()) std::rethrow_exception(error_);
    batches = std::move(steps_.front());
    steps_.pop_front();
  }
  wanted_.notify_one();
  position_ += step_sequences();
  return batches;
}

void BatchStream::seek(int64_t position) {
  {
    const std::lock_guard lock(mutex_);
    ++seeks_;
    next_position_ = position;
    steps_.clear();
    error_ = nullptr;
  }
  wanted_.notify_one();
  position_ = position;
}

std::vector<Batch> BatchStream::batches_at(int64_t position) {
  std::vector<Batch> batches;
  std::vector<int64_t> numbers(static_cast<std::size_t>(sizes_.rows));
  for (int64_t i = 0; i < sizes_.accumulation; ++i) {
    for (int64_t& number : numbers) number = order_.at(position++);
    batches.push_back(sequences_.batch(numbers));
  }
  return batches;
}

void BatchStream::prepare() {
  std::unique_lock lock(mutex_);
  while (true) {
    wanted_.wait(lock, [this] { return ends_ || (steps_.size() < ahead_ && !error_); });
    if (ends_) return;
    const uint64_t seeks = seeks_;
    const int64_t position = next_position_;
    lock.unlock();
    std::vector<Batch> batches;
    std::exception_ptr error;
    try {
      batches = batches_at(position);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (seeks != seeks_) continue;  // The caller has gone elsewhere.
    if (error) {
      error_ = error;
    } else {
      steps_.push_back(std::move(batches));
      next_position_ = position + step_sequences();
    }
    prepared_.notify_one();
  }
}

}  // namespace cosformer::data
