#include "kernels/check_memory.h"

#include <algorithm>
#include <array>
#include <limits>

namespace cosformer {
namespace {

[[noreturn]] void fail(const Memory& m, const std::string& what) {
  throw ShapeError(std::string("attention: ") + m.name + ' ' + what);
}

int64_t count_elements(const Memory& m) {
  int64_t count = 1;
  // A size of 0 first: then nothing overflows.
  for (const int64_t size : m.sizes) {
    if (size == 0) return 0;
  }
  for (const int64_t size : m.sizes) {
    if (__builtin_mul_overflow(count, size, &count) || count > kMostElements) {
      fail(m, "must have fewer elements than an int64_t counts bytes");
    }
  }
  return count;
}

/// Strides by size, and how far the elements reach: each stride of a result must pass what lies below it.
void check_strides(const Memory& m) {
  std::array<std::pair<int64_t, int64_t>, Memory::kDims> dims;  // |stride|, size
  for (int d = 0; d < Memory::kDims; ++d) {
    if (m.strides[d] == std::numeric_limits<int64_t>::min()) fail(m, "has a stride that cannot be counted");
    dims[static_cast<size_t>(d)] = {m.strides[d] < 0 ? -m.strides[d] : m.strides[d], m.sizes[d]};
  }
  std::sort(dims.begin(), dims.end());
  int64_t reach = 0;
  for (const auto& [stride, size] : dims) {
    if (size <= 1) continue;
    if (m.is_result && stride <= reach) {
      fail(m, "is a result whose elements must be distinct, got a stride of " + std::to_string(stride) +
                  " over elements that reach " + std::to_string(reach));
    }
    int64_t step = 0;
    if (__builtin_mul_overflow(stride, size - 1, &step) || __builtin_add_overflow(reach, step, &reach) ||
        reach > kMostElements) {
      fail(m, "must not reach further than an int64_t counts bytes");
    }
  }
}

}  // namespace

void check_countable(std::initializer_list<Memory> tensors) {
  for (const Memory& m : tensors) count_elements(m);
}

void check(std::initializer_list<Memory> tensors) {
  for (const Memory& m : tensors) {
    if (count_elements(m) == 0) continue;
    if (!m.data && m.may_be_null) continue;
    if (!m.data) fail(m, "must not be null");
    check_strides(m);
  }
}

}  // namespace cosformer
