#include "kernels/cpu/tasks.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {
namespace {

constexpr std::align_val_t kCacheLine{64};

thread_local Buffer scratch;

/// The first `floats` of a buffer, in tests.
void poison(Buffer& buffer, int64_t floats) {
  if (!poisons_memory.load(std::memory_order_relaxed)) return;
  std::memset(buffer.data(), 0xFF, static_cast<size_t>(floats) * sizeof(float));
}

}  // namespace

void Buffer::Free::operator()(float* p) const {
  ::operator delete[](p, kCacheLine);
}

Buffer::Buffer(int64_t floats) : size_(floats) {
  const auto bytes = static_cast<size_t>(std::max<int64_t>(floats, 1)) * sizeof(float);
  data_.reset(static_cast<float*>(::operator new[](bytes, kCacheLine)));
  poison(*this, floats);
}

void Buffer::reserve(int64_t floats) {
  if (size_ >= floats && data_) return;
  data_.reset();  // give the old one back first
  size_ = 0;
  *this = Buffer(floats);
}

float* thread_scratch(int64_t floats) noexcept {
  try {
    reserve_scratch(floats);
    poison(scratch, floats);
    return scratch.data();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void reserve_scratch(int64_t floats) {
  scratch.reserve(floats);
}

int64_t sweeps_together(int64_t units, int64_t parts, int width, int64_t state) {
  constexpr int64_t kCachedFloats = 128 * 1024;  // half a megabyte, of the megabyte or two that cores have
  const int64_t cached = std::clamp<int64_t>(kCachedFloats / std::max<int64_t>(state, 1), 1, kMostSweeps);
  const int64_t share = std::max<int64_t>(1, units * parts / width);
  int64_t group = std::min({cached, share, std::max<int64_t>(units, 1)});
  while (group > 1 && share % group != 0) {
    --group;  // groups of one size, so that no thread waits for a larger one
  }
  return group;
}

}  // namespace cosformer::cpu
