#pragma once

#include "kernels/cuda/tokens.h"

/// Tensors in the GPU's memory, and their tiles in a block's.
namespace cosformer::cuda {

/// [B, T, heads, width] as View, whose width is of interest too. T may be const.
template <class T>
struct Operand {
  T* data = nullptr;
  int64_t batch_stride = 0, time_stride = 0, head_stride = 0;
  int width = 0;
  bool aligned = false;  ///< every row begins at a multiple of 16 bytes, and widths are whole vectors
};

template <class T>
COSFORMER_DEVICE T* row_of(const Operand<T>& operand, const Tokens& tokens, int64_t b, int64_t row,
                           int head) {
  return operand.data + (tokens.cu_seqlens ? 0 : b * operand.batch_stride) + row * operand.time_stride +
         head * operand.head_stride;
}

/// Begins to copy columns [column, column + kWidth) of tokens [first, first + valid) of a head to a tile of
/// kRows rows; what lies beyond is 0. tile(r, c): where a vector of 16 bytes has its place.
template <int kRows, int kWidth, class T, class Tile>
COSFORMER_DEVICE void load_tile(const Tile& tile, const Operand<const T>& from, const Tokens& tokens,
                                int64_t b, int head, int64_t first, int valid, int column) {
  constexpr int kVector = 16 / sizeof(T), kVectors = kWidth / kVector;
  for (int v = thread(); v < kRows * kVectors; v += kThreads) {
    const int r = v / kVectors, c = v % kVectors * kVector;
    T* to = tile(r, c);
    int elements = from.width - column - c;
    elements = r >= valid || elements < 0 ? 0 : elements < kVector ? elements : kVector;
    const T* source =
        elements == 0 ? from.data : row_of(from, tokens, b, row(tokens, b, first + r), head) + column + c;
    if (from.aligned) {
      copy16(to, source, elements * static_cast<int>(sizeof(T)));
    } else {
      for (int e = 0; e < kVector; ++e) to[e] = e < elements ? source[e] : T{};
    }
  }
}

/// A vector of 16 bytes in registers.
template <class T>
struct alignas(16) Vector {
  static constexpr int kSize = 16 / sizeof(T);
  T at[kSize];
};

/// Writes columns [0, kWidth) of the first `valid` rows of a tile, with `gate` present 0 where it is not
/// above 0.
template <int kWidth, class T, class Tile>
COSFORMER_DEVICE void store_tile(const Tile& tile, const Operand<T>& to, const Operand<const T>& gate,
                                 const Tokens& tokens, int64_t b, int head, int64_t first, int valid,
                                 int column) {
  constexpr int kVector = Vector<T>::kSize, kVectors = kWidth / kVector;
  const int c = thread() % kVectors * kVector, left = to.width - column - c;
  if (left <= 0) return;
  for (int r = thread() / kVectors; r < valid; r += kThreads / kVectors) {
    const int64_t time = row(tokens, b, first + r);
    auto numbers = *reinterpret_cast<const Vector<T>*>(tile(r, c));
    T* target = row_of(to, tokens, b, time, head) + column + c;
    if (gate.data) {
      const T* source = row_of(gate, tokens, b, time, head) + column + c;
      Vector<T> gates;
      if (gate.aligned && left >= kVector) {
        gates = *reinterpret_cast<const Vector<T>*>(source);
      } else {
        for (int e = 0; e < kVector; ++e) gates.at[e] = e < left ? source[e] : T{};
      }
      for (int e = 0; e < kVector; ++e) {
        if (widen(gates.at[e]) <= 0) numbers.at[e] = T{};
      }
    }
    if (to.aligned && left >= kVector) {
      *reinterpret_cast<Vector<T>*>(target) = numbers;
    } else {
      for (int e = 0; e < kVector && e < left; ++e) target[e] = numbers.at[e];
    }
  }
}

}  // namespace cosformer::cuda
