#pragma once

#include <type_traits>

#include "kernels/cuda/operand.h"

/// What is done to rows before and after the sweeps.
namespace cosformer::cuda {

struct ListTokensArgs {
  const bool* padding = nullptr;  ///< [B, T], true: no token
  int64_t batch_stride = 0, time_stride = 0, T = 0;
  int32_t* rows = nullptr;    ///< [B, T]
  int32_t* counts = nullptr;  ///< [B]
};

/// The rows that are tokens, in order; a block a sequence.
struct ListTokens {
  using Args = ListTokensArgs;
  static constexpr int kBytes = (kWarps + 1) * sizeof(int32_t);

  COSFORMER_DEVICE static void run(const Args& args) {
    auto* before_warp = reinterpret_cast<int32_t*>(block_memory());
    const int lane = thread() % 32, warp = thread() / 32;
    int32_t listed = 0;
    for (int64_t first = 0; first < args.T; first += kThreads) {
      const int64_t t = first + thread();
      const bool token = t < args.T && !args.padding[block() * args.batch_stride + t * args.time_stride];
      const uint32_t tokens = ballot(token);
      if (lane == 0) before_warp[warp + 1] = __builtin_popcount(tokens);
      sync();
      if (thread() == 0) {
        before_warp[0] = 0;
        for (int w = 0; w < kWarps; ++w) before_warp[w + 1] += before_warp[w];
      }
      sync();
      if (token) {
        const int32_t at = listed + before_warp[warp] + __builtin_popcount(tokens & ((1U << lane) - 1));
        args.rows[block() * args.T + at] = static_cast<int32_t>(t);
      }
      listed += before_warp[kWarps];
      sync();
    }
    if (thread() == 0) args.counts[block()] = listed;
  }
};

template <class T>
struct ClearPaddingArgs {
  Operand<T> rows;
  const bool* padding = nullptr;
  int64_t batch_stride = 0, time_stride = 0, B = 0, length = 0;
  int heads = 0;
};

/// Sets rows that are padding to 0; a warp a row.
template <class T>
struct ClearPadding {
  using Args = ClearPaddingArgs<T>;
  static constexpr int kBytes = 0;

  COSFORMER_DEVICE static void run(const Args& args) {
    const int64_t row = block() * kWarps + thread() / 32;
    if (row >= args.B * args.length) return;
    const int64_t b = row / args.length, t = row % args.length;
    if (!args.padding[b * args.batch_stride + t * args.time_stride]) return;
    for (int h = 0; h < args.heads; ++h) {
      T* to = row_of(args.rows, Tokens{}, b, t, h);
      for (int c = thread() % 32; c < args.rows.width; c += 32) to[c] = T{};
    }
  }
  static int64_t blocks(const Args& args) { return (args.B * args.length + kWarps - 1) / kWarps; }
};

template <class T>
struct RowTermsArgs {
  Operand<const T> query, output, d_output;
  const float* denominator = nullptr;  ///< [B, T, heads]
  Tokens tokens;
  int64_t B = 0;
  int heads = 0;
  float floor = 0, eps = 0;
  float *scale = nullptr, *add = nullptr;  ///< [B, T, heads]
};

/// Of each token and head: 1 / max(den, eps), and -(do . o), or 0 where den is clamped: the gradient of den
/// is their product. A warp a row. In float16 a query without features has a scale of 0: 1 / eps is too
/// large, and what it adds to gradients and its own are 0 whatever the scale is.
template <class T>
struct RowTerms {
  using Args = RowTermsArgs<T>;
  static constexpr int kBytes = 0;

  COSFORMER_DEVICE static void run(const Args& args) {
    const int64_t index = block() * kWarps + thread() / 32, token = index / args.heads;
    const int64_t length = args.tokens.length, b = args.tokens.cu_seqlens ? 0 : token / length;
    const int64_t i = args.tokens.cu_seqlens ? token : token % length;
    const int head = static_cast<int>(index % args.heads);
    if (index >= args.heads * length * args.B) return;
    if (!args.tokens.cu_seqlens && i >= count(args.tokens, b)) return;
    const int64_t t = args.tokens.cu_seqlens ? i : row(args.tokens, b, i);
    const T* o = row_of(args.output, args.tokens, b, t, head);
    const T* d_o = row_of(args.d_output, args.tokens, b, t, head);
    float sum = 0;
    for (int c = thread() % 32; c < args.output.width; c += 32) sum = fused(widen(o[c]), widen(d_o[c]), sum);
    for (int step = 1; step < 32; step *= 2) sum += of_lane_xor(sum, step);
    const bool featureless = std::is_same_v<T, float16> && args.floor == 0 && !has_features(args, b, t, head);
    if (thread() % 32 != 0) return;
    const int64_t at = place(args.tokens, b, t) * args.heads + head;
    const bool clamped = args.denominator[at] < args.eps;
    args.scale[at] = featureless ? 0.0F : 1.0F / (clamped ? args.eps : args.denominator[at]);
    args.add[at] = clamped ? 0.0F : -sum;
  }
  /// B: 1 where packed.
  static int64_t blocks(const Args& args) {
    return (args.B * args.tokens.length * args.heads + kWarps - 1) / kWarps;
  }

 private:
  COSFORMER_DEVICE static bool has_features(const Args& args, int64_t b, int64_t t, int head) {
    const T* query = row_of(args.query, args.tokens, b, t, head);
    bool found = false;
    for (int c = thread() % 32; c < args.query.width; c += 32) found |= !(widen(query[c]) <= args.floor);
    return ballot(found) != 0;
  }
};

}  // namespace cosformer::cuda
