#pragma once

#include <limits>
#include <type_traits>

#include "kernels/cuda/combine.h"
#include "kernels/cuda/run.h"
#include "kernels/cuda/scan_rows.h"
#include "kernels/cuda/scan_state.h"
#include "kernels/cuda/segments.h"
#include "kernels/cuda/warpgroup_scan.h"

/// Sweeps, sums and reads as launches: how finely they are split, and where states go.
namespace cosformer::cuda {

/// Calls body(std::integral_constant<int, X>) with the least X that holds a width.
template <class Body>
void with_width(int64_t width, const Body& body) {
  if (width <= 64) return body(std::integral_constant<int, 64>{});
  if (width <= 128) return body(std::integral_constant<int, 128>{});
  body(std::integral_constant<int, 256>{});
}

template <class Kernel>
void start_walk(ScanArgs<typename Kernel::T> args, Run& run) {
  constexpr int kColumns = Kernel::L::Y;
  args.slices = std::max(1, (args.y_width + kColumns - 1) / kColumns);
  const int64_t groups = (args.segments + args.segments_a_block - 1) / args.segments_a_block;
  run.start<Kernel>(args.B * args.reader_heads * groups * args.slices, args);
}

template <class T, Part kPart>
void start_scan(const ScanArgs<T>& args, Run& run) {
  with_width(args.x_width, [&](auto width) {
    if constexpr (sizeof(T) == 2 && width() <= 128) {
      if (run.has_warpgroups()) return start_walk<WarpgroupScan<T, width(), kPart>>(args, run);
    }
    if constexpr (std::is_same_v<T, float>) {
      if (run.rounds_to_tf32()) return start_walk<Scan<T, width(), kPart, Tf32>>(args, run);
    }
    start_walk<Scan<T, width(), kPart>>(args, run);
  });
}

/// States [B, heads][N, K, V] as a sweep over [X, Y] = [K, V] sees them, or as one over [V, K].
inline States states(float* S, float* z, int64_t N, int64_t K, int64_t V, bool transposed) {
  return {S, z, N * K * V, N * K, K * V, K, transposed ? 1 : V, transposed ? V : 1};
}
inline States states(const float* S, const float* z, int64_t N, int64_t K, int64_t V, bool transposed) {
  return states(const_cast<float*>(S), const_cast<float*>(z), N, K, V, transposed);
}

/// Fills args.parts with the state at each cut, or, of parts that are whole segments, args.last with the one
/// after all.
template <class T>
void sum_segments(const ScanArgs<T>& args, Run& run) {
  const int64_t heads = args.reader_heads / args.readers_a_source;
  ScanArgs<T> sum = args;
  sum.reader_heads = static_cast<int>(heads);
  sum.readers_a_source = 1;
  sum.segments = args.slots;
  sum.segments_a_block = 1;
  start_scan<T, Part::sum>(sum, run);
  const CombineArgs combine{args.parts,   args.initial, args.cut ? States{} : args.last,
                            args.tokens,  args.B,       heads,
                            args.slots,   args.segment, args.decay,
                            args.reverse, args.cut};
  run.start<Combine>(Combine::blocks(combine), combine);
}

/// Scratch for a state a slot.
template <class T>
void add_parts(ScanArgs<T>& args, int64_t slots, int64_t K, int64_t V, bool transposed, Run& run) {
  const int64_t count = args.B * (args.reader_heads / args.readers_a_source) * slots;
  auto* S = run.scratch<float>(count * args.N * K * V);
  auto* z = args.along == Along::nothing ? nullptr : run.scratch<float>(count * args.N * K);
  args.slots = slots;
  args.parts = states(S, z, args.N, K, V, transposed);
  if (!z) args.parts.z_size = 0;
}

template <class T, class Args>
ScanArgs<T> scan_args(const Args& call, const Tokens& tokens) {
  const auto& s = call.shape;
  ScanArgs<T> args;
  args.tokens = tokens;
  args.B = s.B;
  args.segment = segment_length(s.K, s.V);
  args.segments = segments_of(tokens.length, args.segment);
  args.segments_a_block = args.segments;
  args.N = static_cast<int>(call.options.states());
  args.horizon = call.options.horizon.value_or(0);
  args.position = call.position;
  if constexpr (requires { call.decay; }) args.decay = call.decay;
  args.eps = call.options.eps;
  args.floor_a = args.floor_b = args.floor_c = -std::numeric_limits<float>::infinity();
  return args;
}

/// Blocks of a launch that goes through whole sequences.
template <class T>
int64_t whole_blocks(const ScanArgs<T>& args) {
  const int64_t Y = args.y_width, columns = args.x_width <= 128 ? 64 : 32;
  return args.B * args.reader_heads * std::max<int64_t>(1, (Y + columns - 1) / columns);
}

/// The sweep, by one block a head and slice where that fills the GPU, else by one a segment.
template <class T>
void sweep(ScanArgs<T> args, int64_t K, int64_t V, bool transposed, Run& run) {
  if (args.segments > 1 && whole_blocks(args) < run.width()) {
    args.cut = true;
    add_parts(args, args.segments - 1, K, V, transposed, run);
    sum_segments(args, run);
    args.segments_a_block = 1;
  }
  start_scan<T, Part::sweep>(args, run);
}

/// Reads one state from every row. Each block brings the state anew, mostly from the L2 cache: it has as many
/// rows as leave the GPU eight blocks a processor, so that few processors wait for the last ones.
template <class T>
void read(ScanArgs<T> args, Run& run) {
  constexpr int64_t kLeast = 256, kBlocks = 8;
  int64_t rows = kLeast;
  while (rows < args.segment &&
         whole_blocks(args) * (args.tokens.length / (2 * rows)) >= kBlocks * run.width())
    rows *= 2;
  args.segment = rows;
  args.segments = (args.tokens.length + rows - 1) / rows;
  args.segments_a_block = 1;
  if (args.segments > 0) start_scan<T, Part::read>(args, run);
}

/// The state of every token into args.last.
template <class T>
void sum(ScanArgs<T> args, int64_t K, int64_t V, Run& run) {
  add_parts(args, args.segments, K, V, false, run);
  if (!args.last.z) args.parts.z = nullptr, args.parts.z_size = 0;
  sum_segments(args, run);
}

inline float floor_of(const AttentionOptions& options) {
  return options.feature_map == FeatureMap::relu ? 0.0F : -std::numeric_limits<float>::infinity();
}

/// Heads of a pass whose readers are queries, or keys.
template <class T>
void set_query_heads(ScanArgs<T>& args, const AttentionShape& s) {
  args.reader_heads = static_cast<int>(s.H);
  args.source_heads = static_cast<int>(s.G);
  args.readers_a_source = static_cast<int>(s.H > 0 ? s.H / s.G : 1);
}
template <class T>
void set_key_heads(ScanArgs<T>& args, const AttentionShape& s, int64_t source_heads) {
  args.reader_heads = static_cast<int>(s.G);
  args.source_heads = static_cast<int>(source_heads);
  args.sources_a_reader = static_cast<int>(source_heads > 0 ? source_heads / s.G : 1);
  if (source_heads > 0) return;
  args.b.width = args.c.width = 0;  // one without numbers stands for none
  args.source_scale = args.source_add = nullptr;
}

template <class T>
void set_key_sources(ScanArgs<T>& args, const Operand<const T>& key, const Operand<const T>& value,
                     float floor) {
  args.b = key;
  args.c = value;
  args.floor_b = floor;
  args.along = Along::b;
  args.x_width = key.width;
  args.y_width = value.width;
}

}  // namespace cosformer::cuda
