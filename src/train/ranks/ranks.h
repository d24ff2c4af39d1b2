#pragma once

#include <torch/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

#include "train/ranks/environment.h"
#include "train/ranks/watch.h"

namespace cosformer::train {

/// Ranks that exchange tensors among themselves, in order: c10d's ProcessGroup, over Gloo for tensors in the
/// host's memory and over NCCL for those on a GPU. Every member calls the same operations in the same
/// sequence, each of which waits for all; of those on a GPU, its stream does. A rank that is gone is a
/// RankError (watch.h).
class RankGroup {
 public:
  RankGroup(c10::intrusive_ptr<c10d::ProcessGroup> group, Watch& watch)
      : group_(std::move(group)), watch_(watch) {}

  int64_t rank() const { return group_->getRank(); }
  int64_t count() const { return group_->getSize(); }

  /// Adds up a contiguous tensor over all ranks, in place: the same bits on each of them.
  void sum(torch::Tensor tensor);
  /// The same, begun: `tensor` is theirs until the future is complete.
  c10::intrusive_ptr<c10::ivalue::Future> begin_sum(torch::Tensor tensor);
  /// One tensor a rank, in their order; sizes and dtypes are equal.
  std::vector<torch::Tensor> gather(const torch::Tensor& tensor);
  /// Overwrites a contiguous tensor with rank 0's.
  void broadcast(torch::Tensor tensor);
  /// Rank 0's bytes.
  std::string broadcast(std::string bytes);

  const c10::intrusive_ptr<c10d::ProcessGroup>& group() const { return group_; }
  /// Bytes that this rank has handed to `gather`.
  int64_t gathered_bytes() const { return gathered_bytes_; }

 private:
  /// What `start` has begun, which ends as Watch::guard says.
  template <class Start>
  c10::intrusive_ptr<c10::ivalue::Future> begin(const Start& start);

  c10::intrusive_ptr<c10d::ProcessGroup> group_;
  Watch& watch_;
  int64_t gathered_bytes_ = 0;
};

/// All processes of a run.
class Ranks {
 public:
  /// Meets the others. @throws RankError naming those that did not come within the timeout, or the address
  /// that does not answer
  /// @param device of this rank; on a GPU there is NCCL beside Gloo
  Ranks(const RankEnvironment& environment, std::chrono::milliseconds timeout,
        torch::Device device = torch::kCPU);
  /// Leaves: waits until all have, unless one is gone.
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  int64_t rank() const { return environment_.rank; }
  int64_t count() const { return environment_.count; }
  bool is_first() const { return rank() == 0; }
  const std::string& host(int64_t rank) const { return hosts_[static_cast<std::size_t>(rank)]; }

  RankGroup& all() { return *groups_.front(); }
  /// A second group, of `size` ranks in a row, of which this is one; `size` divides the count.
  RankGroup& part(int64_t size, const std::string& name);

  /// @throws RankError unless all ranks have the same text, line by line: names the first rank and line that
  /// differ from rank 0's
  void require_equal(const std::string& what, const std::string& text);
  void at_step(int64_t step) { watch_->at_step(step); }
  /// Tells the others why this rank ends.
  void give_up(const std::string& reason) { watch_->give_up(reason); }

 private:
  /// @throws RankError where the store is that of another run
  void take_place();
  void meet();
  RankGroup& add_group(const std::string& name, int64_t rank, int64_t count);

  RankEnvironment environment_;
  std::chrono::milliseconds timeout_;
  torch::Device device_;
  c10::intrusive_ptr<c10d::Store> server_, store_;
  std::vector<std::string> hosts_;
  std::unique_ptr<Watch> watch_;
  std::vector<std::unique_ptr<RankGroup>> groups_;
};

}  // namespace cosformer::train
