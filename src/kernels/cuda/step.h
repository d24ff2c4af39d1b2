#pragma once

#include "kernels/cuda/operand.h"

namespace cosformer::cuda {

template <class T>
struct StepArgs {
  Operand<const T> query, key, value;
  Operand<T> output;
  float *S = nullptr, *z = nullptr;  ///< [B, G, N, K, V], [B, G, N, K]
  int64_t* position = nullptr;       ///< [B]
  int64_t B = 0, horizon = 0;        ///< horizon 0: none
  int G = 0, heads_a_group = 1, N = 1, K = 0, V = 0;
  const float* decay = nullptr;  ///< [G]
  float floor = 0, eps = 0;
  bool normalize = true;
};

/// One token of every sequence: the state is read, advanced, read by the queries of its group and written,
/// faded to the next position. A block has a sequence's group: 16 columns of 4 numbers side by side in 16
/// rows of S at once.
template <class T>
class Step {
 public:
  using Args = StepArgs<T>;
  static constexpr int kHeads = 4;  // that read a row of S at once
  static constexpr int kColumns = 16, kRows = kThreads / kColumns, kWidest = 256;

  struct Memory {
    float query[kHeads][2 * kWidest], key[2 * kWidest];
    float sums[kRows][kHeads][4 * kColumns];
    float scale[kHeads];
    int64_t position;
  };
  static constexpr int kBytes = sizeof(Memory);

  COSFORMER_DEVICE static void run(const Args& args) {
    const int64_t b = block() / args.G;
    const int g = static_cast<int>(block() % args.G), size = args.N * args.K;
    auto& memory = *reinterpret_cast<Memory*>(block_memory());
    if (thread() == 0) memory.position = take_position(args, b);
    sync();
    double cosine = 1, sine = 0;
    const int64_t position = memory.position;
    if (args.horizon > 0) {
      cos_sin_of_pi(static_cast<double>(position) / (2.0 * static_cast<double>(args.horizon)), cosine, sine);
    }
    float wave[2] = {static_cast<float>(cosine), static_cast<float>(sine)};
    const bool bad = position < 0 || (args.horizon > 0 && position >= args.horizon);
    if (bad) wave[0] = wave[1] = __builtin_nanf("");
    const float fade = args.decay ? exponential(-static_cast<double>(args.decay[g])) : 1.0F;
    const Tokens rows;
    const T* key = row_of(args.key, rows, b, 0, g);
    const T* value = row_of(args.value, rows, b, 0, g);
    float* S = args.S + (b * args.G + g) * size * args.V;
    float* z = args.z + (b * args.G + g) * size;
    for (int x = thread(); x < size; x += kThreads) {
      memory.key[x] = at_least(widen(key[x % args.K]), args.floor) * wave[x / args.K];
    }
    for (int first = 0; first < args.heads_a_group; first += kHeads) {
      const int left = args.heads_a_group - first, heads = left < kHeads ? left : kHeads;
      const bool last = heads == left;
      for (int x = thread(); x < size * kHeads; x += kThreads) {
        const int h = x / size, n = x % size / args.K;
        float feature = 0;
        if (h < heads) {
          const T* query = row_of(args.query, rows, b, 0, g * args.heads_a_group + first + h);
          feature = at_least(widen(query[x % args.K]), args.floor) * wave[n];
        }
        memory.query[h][x % size] = feature;
      }
      sync();
      find_scales(args, memory, z, size);
      sync();
      if (last) {
        for (int x = thread(); x < size; x += kThreads) z[x] = (z[x] + memory.key[x]) * fade;
      }
      for (int column = 0; column < args.V; column += 4 * kColumns) {
        const int c = column + thread() % kColumns * 4;
        advance(args, memory, S, value, size, c, last, fade);
        sync();
        for (int v = thread(); v < heads * 4 * kColumns; v += kThreads) {
          const int h = v / (4 * kColumns), at = v % (4 * kColumns);
          if (column + at >= args.V) continue;
          float sum = 0;
          for (int r = 0; r < kRows; ++r) sum += memory.sums[r][h][at];
          T* to = row_of(args.output, rows, b, 0, g * args.heads_a_group + first + h) + column + at;
          narrow(sum * memory.scale[h], *to);
        }
        sync();
      }
    }
  }
  static int64_t blocks(const Args& args) { return args.B * args.G; }

 private:
  /// The sequence's position, advanced by 1 once all of its blocks have taken it: its upper 24 bits count
  /// them. The lower 40 bits have a sign of their own, so that one below 0, which is refused elsewhere, is
  /// counted as any other.
  COSFORMER_DEVICE static int64_t take_position(const Args& args, int64_t b) {
    constexpr int kBits = 40;
    constexpr int64_t kTaken = int64_t{1} << kBits;
    const auto before = static_cast<uint64_t>(fetch_add(args.position + b, kTaken));
    const int64_t position = static_cast<int64_t>(before << (64 - kBits)) >> (64 - kBits);
    const int64_t taken = static_cast<int64_t>(before - static_cast<uint64_t>(position)) >> kBits;
    if (taken == args.G - 1) fetch_add(args.position + b, 1 - args.G * kTaken);
    return position;
  }

  /// 1 / max(q~ . (z + k~), eps) of each head; a warp a head.
  COSFORMER_DEVICE static void find_scales(const Args& args, Memory& memory, const float* z, int size) {
    const int h = thread() / 32;
    float sum = 0;
    for (int x = thread() % 32; h < kHeads && x < size; x += 32) {
      sum = fused(memory.query[h][x], z[x] + memory.key[x], sum);
    }
    for (int step = 1; step < 32; step *= 2) sum += of_lane_xor(sum, step);
    if (h >= kHeads || thread() % 32 != 0) return;
    memory.scale[h] = args.normalize ? 1.0F / (sum < args.eps ? args.eps : sum) : 1.0F;
  }

  COSFORMER_DEVICE static void advance(const Args& args, Memory& memory, float* S, const T* value, int size,
                                       int c, bool last, float fade) {
    float v[4], sums[kHeads][4] = {};
    for (int e = 0; e < 4; ++e) v[e] = c + e < args.V ? widen(value[c + e]) : 0.0F;
    const int row = thread() / kColumns;
    const bool whole = args.V % 4 == 0 && reinterpret_cast<uintptr_t>(S) % 16 == 0;
#pragma unroll 4
    for (int x = row; x < size; x += kRows) {
      float* at = S + static_cast<int64_t>(x) * args.V + c;
      Vector<float> state{};
      if (whole && c < args.V) {
        state = *reinterpret_cast<const Vector<float>*>(at);
      } else {
        for (int e = 0; e < 4 && c + e < args.V; ++e) state.at[e] = at[e];
      }
      for (int e = 0; e < 4; ++e) state.at[e] = fused(memory.key[x], v[e], state.at[e]);
      for (int h = 0; h < kHeads; ++h) {
        for (int e = 0; e < 4; ++e) sums[h][e] = fused(memory.query[h][x], state.at[e], sums[h][e]);
      }
      if (!last) continue;
      for (int e = 0; e < 4; ++e) state.at[e] *= fade;
      if (whole && c < args.V) {
        *reinterpret_cast<Vector<float>*>(at) = state;
      } else {
        for (int e = 0; e < 4 && c + e < args.V; ++e) at[e] = state.at[e];
      }
    }
    for (int h = 0; h < kHeads; ++h) {
      for (int e = 0; e < 4; ++e) memory.sums[row][h][thread() % kColumns * 4 + e] = sums[h][e];
    }
  }
};

}  // namespace cosformer::cuda
