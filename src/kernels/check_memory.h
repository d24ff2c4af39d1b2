#pragma once

#include <initializer_list>
#include <limits>
#include <string>

#include "cosformer/attention.h"

/// Whether the memory that arguments describe can be what it should: there, countable, and for results
/// distinct.
namespace cosformer {

/// Of any tensor: elements of up to 8 bytes must be countable in bytes too.
inline constexpr int64_t kMostElements = std::numeric_limits<int64_t>::max() / 8;

/// A tensor of a call: its sizes and strides in elements, the last of which is contiguous.
struct Memory {
  static constexpr int kDims = 5;

  const char* name;
  const void* data;
  int64_t sizes[kDims] = {1, 1, 1, 1, 1};
  int64_t strides[kDims] = {0, 0, 0, 0, 1};
  bool is_result = false;
  bool may_be_null = false;
};

/// One that a call may go without; its sizes count all the same, since states of such sizes are made then.
inline Memory optional(Memory m) {
  m.may_be_null = true;
  return m;
}

/// @throws ShapeError naming the first tensor that is null although it has elements, has more elements or
/// reaches further
///         than an int64_t counts, or is a result in which two elements share a place
void check(std::initializer_list<Memory> tensors);

/// @throws ShapeError naming the first tensor that has more elements than an int64_t counts
void check_countable(std::initializer_list<Memory> tensors);

/// [B, T, heads, width], or packed [T, heads, width].
template <class T>
Memory memory(const char* name, const View<T>& view, const Rows& rows, int64_t B, int64_t length,
              int64_t heads, int64_t width, bool is_result = false) {
  const bool packed = rows.cu_seqlens != nullptr;
  return {name,
          view.data,
          {1, packed ? 1 : B, length, heads, width},
          {0, packed ? 0 : view.batch_stride, view.time_stride, view.head_stride, 1},
          is_result};
}

/// A contiguous tensor, S [B, G, N, K, V] or shorter.
inline Memory memory(const char* name, const void* data, std::initializer_list<int64_t> sizes,
                     bool is_result = false) {
  Memory m{name, data, {}, {}, is_result};
  int d = Memory::kDims - static_cast<int>(sizes.size());
  for (int i = 0; i < d; ++i) m.sizes[i] = 1;
  for (const int64_t size : sizes) m.sizes[d++] = size;
  int64_t stride = 1;
  for (d = Memory::kDims - 1; d >= 0; --d) {
    m.strides[d] = stride;
    if (__builtin_mul_overflow(stride, m.sizes[d], &stride)) stride = INT64_MAX;
  }
  return m;
}

/// Two pointers that come together or not at all.
inline void check_together(const char* first_name, const void* first, const char* second_name,
                           const void* second) {
  if ((first == nullptr) == (second == nullptr)) return;
  throw ShapeError(std::string("attention: expected ") + first_name + " and " + second_name +
                   " together, got " + (first ? first_name : second_name) + " alone");
}

}  // namespace cosformer
