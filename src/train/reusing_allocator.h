#pragma once

#include <c10/core/Allocator.h>

#include <cstddef>
#include <mutex>
#include <vector>

namespace cosformer::train {

/// Keeps large blocks that are freed for the next tensor of about their size. Each training step asks for the
/// same sizes again, and memory that comes fresh from the kernel has to be cleared, page by page; that
/// took three tenths of a step (docs/performance.md). What is held, in use or not, stays within 1.1 times the
/// most that was in use at once.
///
/// Thread-safe. Blocks it gives away must not outlive it.
class ReusingAllocator final : public c10::Allocator {
 public:
  /// Smaller blocks come from the other allocator and go back to it.
  static constexpr std::size_t kLarge = std::size_t{1} << 20;

  /// @param below outlives this; its raw_allocate is used
  explicit ReusingAllocator(c10::Allocator& below) : below_(below) {}
  ~ReusingAllocator() override;

  /// A block that is kept is taken for up to an eighth less than its size.
  /// @throws what `below` throws, when no block is kept any more
  c10::DataPtr allocate(std::size_t size) override;
  c10::DeleterFnPtr raw_deleter() const override { return take_back; }
  void copy_data(void* to, const void* from, std::size_t count) const override;

  /// Bytes of large blocks, in use or kept.
  std::size_t held() const;
  /// The largest number of bytes in use at once.
  std::size_t most_in_use() const;

 private:
  struct Block;  // begins in front of what a tensor sees
  static void take_back(void* data);

  Block* take(std::size_t size);
  Block* fresh(std::size_t size);
  /// Where there is no room for a fresh one, what is kept makes room.
  Block* fresh_in_place_of_kept(std::size_t size);
  void keep(Block* block);
  void release_oldest();

  c10::Allocator& below_;
  mutable std::mutex mutex_;
  std::vector<Block*> kept_;  ///< oldest first
  std::size_t kept_bytes_ = 0, in_use_ = 0, most_in_use_ = 0;
};

/// From now on LibTorch's tensors on the CPU come from a ReusingAllocator. For programs that train: it is the
/// whole process that changes.
void reuse_memory();

}  // namespace cosformer::train
