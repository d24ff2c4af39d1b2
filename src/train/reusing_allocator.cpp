#include "train/reusing_allocator.h"

#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <new>

namespace cosformer::train {

/// As large as the alignment of LibTorch's tensors.
struct alignas(64) ReusingAllocator::Block {
  ReusingAllocator& owner;
  std::size_t size;  ///< with this
};

ReusingAllocator::~ReusingAllocator() {
  while (!kept_.empty()) release_oldest();
}

c10::DataPtr ReusingAllocator::allocate(std::size_t size) {
  const c10::Device cpu(c10::kCPU);
  if (size == 0) return {nullptr, cpu};
  Block* const block = size < kLarge ? fresh(sizeof(Block) + size) : take(sizeof(Block) + size);
  return {block + 1, block + 1, take_back, cpu};
}

void ReusingAllocator::copy_data(void* to, const void* from, std::size_t count) const {
  default_copy_data(to, from, count);
}

ReusingAllocator::Block* ReusingAllocator::fresh(std::size_t size) {
  return new (below_.raw_allocate(size)) Block{*this, size};
}

ReusingAllocator::Block* ReusingAllocator::take(std::size_t size) {
  const std::lock_guard lock(mutex_);
  auto best = kept_.end();
  for (auto block = kept_.begin(); block != kept_.end(); ++block) {
    const bool fits = (*block)->size >= size && (*block)->size - size <= size / 8;
    if (fits && (best == kept_.end() || (*block)->size <= (*best)->size)) best = block;
  }
  Block* taken = nullptr;
  if (best != kept_.end()) {
    taken = *best;
    kept_.erase(best);
    kept_bytes_ -= taken->size;
  } else {
    const std::size_t used = in_use_ + size, most = std::max(most_in_use_, used);
    while (!kept_.empty() && used + kept_bytes_ > most + most / 10) release_oldest();
    taken = fresh_in_place_of_kept(size);
  }
  in_use_ += taken->size;
  most_in_use_ = std::max(most_in_use_, in_use_);
  return taken;
}

ReusingAllocator::Block* ReusingAllocator::fresh_in_place_of_kept(std::size_t size) {
  try {
    return fresh(size);
  } catch (const c10::Error&) {
    if (kept_.empty()) throw;
  }
  while (!kept_.empty()) release_oldest();
  return fresh(size);
}

void ReusingAllocator::take_back(void* data) {
  if (data == nullptr) return;
  Block* const block = static_cast<Block*>(data) - 1;
  if (block->size < sizeof(Block) + kLarge) {
    block->owner.below_.raw_deallocate(block);
  } else {
    block->owner.keep(block);
  }
}

void ReusingAllocator::keep(Block* block) {
  const std::lock_guard lock(mutex_);
  in_use_ -= block->size;
  kept_bytes_ += block->size;
  kept_.push_back(block);
}

void ReusingAllocator::release_oldest() {
  Block* const block = kept_.front();
  kept_.erase(kept_.begin());
  kept_bytes_ -= block->size;
  below_.raw_deallocate(block);
}

std::size_t ReusingAllocator::held() const {
  const std::lock_guard lock(mutex_);
  return in_use_ + kept_bytes_;
}

std::size_t ReusingAllocator::most_in_use() const {
  const std::lock_guard lock(mutex_);
  return most_in_use_;
}

void reuse_memory() {
#ifndef __SANITIZE_ADDRESS__  // which could not tell use of a freed tensor
  // Never destroyed: tensors may outlive it.
  static auto& allocator = *new ReusingAllocator(*c10::GetDefaultCPUAllocator());
  c10::SetAllocator(c10::kCPU, &allocator);
#endif
}

}  // namespace cosformer::train
