#pragma once

#include "kernels/cuda/scan_args.h"

namespace cosformer::cuda {

struct CombineArgs {
  States parts, initial, last;  ///< contiguous [N, K, V] and [N, K]; absent ones are null
  Tokens tokens;
  int64_t B = 0, heads = 0, slots = 0, segment = 0;
  const float* decay = nullptr;
  bool reverse = false, cut = false;
};

/// Segments' own sums, in parts, become the states at a sequence's cuts; or, where it is not cut, last the
/// state after all. A number a thread: work B heads slots N K (V + 1).
struct Combine {
  using Args = CombineArgs;
  static constexpr int kBytes = 0;

  COSFORMER_DEVICE static void run(const Args& args) {
    const int64_t size = args.parts.S_size + args.parts.z_size;
    const int64_t index = block() * kThreads + thread();
    if (index >= args.B * args.heads * size) return;
    const int64_t head = index / size, element = index % size;
    if (element < args.parts.S_size) {
      combine(args, head, element, args.parts.S_size, args.parts.S, args.initial.S, args.last.S);
    } else {
      combine(args, head, element - args.parts.S_size, args.parts.z_size, args.parts.z, args.initial.z,
              args.last.z);
    }
  }

  static int64_t blocks(const Args& args) {
    return (args.B * args.heads * (args.parts.S_size + args.parts.z_size) + kThreads - 1) / kThreads;
  }

 private:
  COSFORMER_DEVICE static void combine(const Args& args, int64_t head, int64_t element, int64_t size,
                                       float* parts, const float* initial, float* last) {
    const int64_t tokens = count(args.tokens, head / args.heads);
    const int64_t segments = (tokens + args.segment - 1) / args.segment;
    const double decay = args.decay ? static_cast<double>(args.decay[head % args.heads]) : 0.0;
    float sum = initial ? initial[head * size + element] : 0.0F;
    const int64_t slots = args.cut ? segments - 1 : segments;
    for (int64_t k = 0; k < slots; ++k) {
      const int64_t slot = args.reverse ? slots - 1 - k : k;
      const int64_t s = args.cut && args.reverse ? slot + 1 : slot;
      const int64_t end = (s + 1) * args.segment < tokens ? (s + 1) * args.segment : tokens;
      const float faded =
          decay == 0 ? 1.0F : exponential(-decay * static_cast<double>(end - s * args.segment));
      float& part = parts[(head * args.slots + slot) * size + element];
      sum = fused(sum, faded, part);
      if (args.cut) part = sum;
    }
    if (last) last[head * size + element] = sum;
  }
};

}  // namespace cosformer::cuda
