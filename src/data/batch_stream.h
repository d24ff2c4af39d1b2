#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "data/order.h"
#include "data/sequences.h"

namespace cosformer::data {

/// The batches of step after step, prepared by a thread while the steps before are computed. What comes is a
/// function of the sequences, the sizes, the seed and the position alone.
class BatchStream {
 public:
  struct Sizes {
    int64_t rows = 1;          ///< sequences a batch
    int64_t accumulation = 1;  ///< batches a step
  };

  /// @param sequences at least one
  /// @param ahead     steps that are prepared at most, at least 1; each takes 16 bytes a token
  BatchStream(Sequences sequences, Sizes sizes, uint64_t seed, std::size_t ahead = 4);
  /// Ends the thread; waits for the batch that it works on.
  ~BatchStream();
  BatchStream(const BatchStream&) = delete;
  BatchStream& operator=(const BatchStream&) = delete;

  /// The batches of the next step, in order.
  /// @throws what reading the data throws; then, again, until seek() is called
  std::vector<Batch> next();

  /// Sequences taken so far.
  int64_t position() const { return position_; }
  /// Goes on from a position, in an instant wherever it is. @param position at least 0
  void seek(int64_t position);

  /// Time spent in next() until a step was prepared, since this was last asked.
  double take_seconds_waited() { return std::exchange(seconds_waited_, 0.0); }

 private:
  void prepare();
  std::vector<Batch> batches_at(int64_t position);
  int64_t step_sequences() const { return sizes_.rows * sizes_.accumulation; }

  const Sequences sequences_;
  const Sizes sizes_;
  const std::size_t ahead_;
  SequenceOrder order_;  // of the thread alone

  // Of the caller alone.
  int64_t position_ = 0;
  double seconds_waited_ = 0;

  std::mutex mutex_;  // over all below
  std::condition_variable prepared_, wanted_;
  std::deque<std::vector<Batch>> steps_;
  int64_t next_position_ = 0;  // of the step to be prepared next
  uint64_t seeks_ = 0;
  std::exception_ptr error_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace cosformer::data
