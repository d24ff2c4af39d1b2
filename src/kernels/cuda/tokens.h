#pragma once

#include "kernels/cuda/device.h"

/// Which rows are a sequence's tokens, on the GPU.
namespace cosformer::cuda {

struct Tokens {
  const int64_t* cu_seqlens = nullptr;  ///< [B + 1], or null
  const int32_t* rows = nullptr;        ///< [B, length]: each sequence's rows that are tokens, or null
  const int32_t* counts = nullptr;      ///< [B], beside rows
  int64_t length = 0;                   ///< of every sequence; packed: of all together
};

/// A place that is wrong stays inside the tensor.
COSFORMER_DEVICE int64_t packed_place(const Tokens& tokens, int64_t b) {
  const int64_t place = tokens.cu_seqlens[b];
  return place < 0 ? 0 : place > tokens.length ? tokens.length : place;
}
COSFORMER_DEVICE int64_t count(const Tokens& tokens, int64_t b) {
  if (tokens.cu_seqlens) {
    const int64_t length = packed_place(tokens, b + 1) - packed_place(tokens, b);
    return length < 0 ? 0 : length;
  }
  return tokens.counts ? tokens.counts[b] : tokens.length;
}
/// The row of token i of sequence b; packed: among the rows of all.
COSFORMER_DEVICE int64_t row(const Tokens& tokens, int64_t b, int64_t i) {
  if (tokens.cu_seqlens) return packed_place(tokens, b) + i;
  return tokens.rows ? tokens.rows[b * tokens.length + i] : i;
}
/// Whether n tokens from token i on are rows that follow each other.
COSFORMER_DEVICE bool adjoin(const Tokens& tokens, int64_t b, int64_t i, int n) {
  return !tokens.rows || row(tokens, b, i + n - 1) - row(tokens, b, i) == n - 1;
}
/// Where a row's numbers stand in an array [B, length].
COSFORMER_DEVICE int64_t place(const Tokens& tokens, int64_t b, int64_t row) {
  return tokens.cu_seqlens ? row : b * tokens.length + row;
}

}  // namespace cosformer::cuda
