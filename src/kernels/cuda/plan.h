#pragma once

#include <initializer_list>
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

/// Slices of Y that a walk's blocks have.
template <class T>
int64_t slices_of(const ScanArgs<T>& args) {
  const int64_t columns = args.x_width <= 128 ? 64 : 32;
  return std::max<int64_t>(1, (args.y_width + columns - 1) / columns);
}

/// Blocks of a launch that goes through whole sequences.
template <class T>
int64_t whole_blocks(const ScanArgs<T>& args) {
  return args.B * args.reader_heads * slices_of(args);
}

template <class Kernel, class T>
void start_walks(Together<ScanArgs<T>> all, Run& run) {
  int64_t blocks = 0;
  for (auto& args : all) {
    args.slices = static_cast<int>(slices_of(args));
    blocks += whole_blocks(args) * groups_of(args.segments, args.segments_a_block);
  }
  run.start_in_turn<Walks<Kernel>>(blocks, all.walks[0].in_turn ? run.width() : blocks, all);
}

template <Part kPart, class T>
void start_scan(const Together<ScanArgs<T>>& all, Run& run) {
  with_width(all.walks[0].x_width, [&](auto width) {
    if constexpr (sizeof(T) == 2 && width() <= 128) {
      if (run.has_warpgroups()) return start_walks<WarpgroupScan<T, width(), kPart>>(all, run);
    }
    if constexpr (std::is_same_v<T, float>) {
      if (run.rounds_to_tf32()) return start_walks<Scan<T, width(), kPart, Tf32>>(all, run);
    }
    start_walks<Scan<T, width(), kPart>>(all, run);
  });
}

/// States [B, heads][N, K, V] as a sweep over [X, Y] = [K, V] sees them, or as one over [V, K].
inline States states(float* S, float* z, int64_t N, int64_t K, int64_t V, bool transposed) {
  return {S, z, N * K * V, N * K, K * V, K, transposed ? 1 : V, transposed ? V : 1};
}
inline States states(const float* S, const float* z, int64_t N, int64_t K, int64_t V, bool transposed) {
  return states(const_cast<float*>(S), const_cast<float*>(z), N, K, V, transposed);
}

/// Fills parts with the states at cuts, or, of parts that are whole segments, last with the one after all.
template <class T>
void sum_segments(const Together<ScanArgs<T>>& all, Run& run) {
  Together<ScanArgs<T>> sums = all;
  for (auto& sum : sums) {
    sum.reader_heads /= sum.readers_a_source;
    sum.readers_a_source = 1;
    sum.segments = sum.slots;
    sum.segments_a_block = 1;
  }
  start_scan<Part::sum>(sums, run);
  for (const auto& sum : sums) {
    const CombineArgs combine{sum.parts,   sum.initial, sum.cut ? States{} : sum.last,
                              sum.tokens,  sum.B,       sum.reader_heads,
                              sum.slots,   sum.segment, sum.decay,
                              sum.reverse, sum.cut};
    run.start<Combine>(Combine::blocks(combine), combine);
  }
}

/// Scratch for a state a slot, laid out as args.parts is.
template <class T>
void add_parts(ScanArgs<T>& args, int64_t slots, Run& run) {
  const int64_t count = args.B * (args.reader_heads / args.readers_a_source) * slots;
  args.slots = slots;
  args.parts.S = run.scratch<float>(count * args.parts.S_size);
  if (args.along == Along::nothing) args.parts.z_size = 0;
  if (args.parts.z_size > 0) args.parts.z = run.scratch<float>(count * args.parts.z_size);
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
  args.parts = states(static_cast<float*>(nullptr), nullptr, args.N, s.K, s.V, false);
  args.horizon = call.options.horizon.value_or(0);
  args.position = call.position;
  if constexpr (requires { call.decay; }) args.decay = call.decay;
  args.eps = call.options.eps;
  args.floor_a = args.floor_b = args.floor_c = -std::numeric_limits<float>::infinity();
  return args;
}

/// Whether two walks fit one launch: the same kernel, with as many blocks.
template <class T>
bool are_alike(const ScanArgs<T>& one, const ScanArgs<T>& other) {
  bool same_kernel = false;
  with_width(one.x_width,
             [&](auto x) { with_width(other.x_width, [&](auto y) { same_kernel = x() == y(); }); });
  return same_kernel && slices_of(one) == slices_of(other) && one.B == other.B &&
         one.reader_heads == other.reader_heads && one.segments == other.segments &&
         one.tokens.length == other.tokens.length;
}

/// Calls start(Together) for walks in the order that they have, those that are alike at once.
template <class T, class Start>
void for_alike(std::initializer_list<ScanArgs<T>> walks, const Start& start) {
  Together<ScanArgs<T>> all;
  for (const auto& next : walks) {
    if (all.count > 0 && !are_alike(all.walks[0], next)) {
      start(all);
      all.count = 0;
    }
    all.walks[all.count++] = next;
  }
  start(all);
}

/// Causal sweeps, as split_sweep() says.
template <class T>
void sweep(std::initializer_list<ScanArgs<T>> walks, Run& run) {
  for_alike(walks, [&](Together<ScanArgs<T>> all) {
    const auto& one = all.walks[0];
    const int64_t blocks = all.count * whole_blocks(one);
    const bool knows_lengths = !one.tokens.cu_seqlens || one.B == 1;
    const Split split =
        split_sweep(blocks, blocks / one.readers_a_source, one.segments, run.width(), knows_lengths);
    for (auto& args : all) {
      args.segments_a_block = split.segments_a_block;
      args.cut = split.cut;
      const int64_t groups = groups_of(args.segments, args.segments_a_block);
      args.in_turn = groups > 1 && !args.cut;
      if (groups > 1) add_parts(args, groups - 1, run);
    }
    if (split.cut) sum_segments(all, run);
    start_scan<Part::sweep>(all, run);
  });
}

/// Reads one state from every row. Each block brings the state anew, mostly from the L2 cache: it has as many
/// rows as leave the GPU eight blocks a processor, so that few processors wait for the last ones.
template <class T>
void read(std::initializer_list<ScanArgs<T>> walks, Run& run) {
  for_alike(walks, [&](Together<ScanArgs<T>> all) {
    constexpr int64_t kLeast = 256, kBlocks = 8;
    const auto& one = all.walks[0];
    const int64_t blocks = all.count * whole_blocks(one), length = one.tokens.length;
    int64_t rows = kLeast;
    while (rows < one.segment && blocks * (length / (2 * rows)) >= kBlocks * run.width()) rows *= 2;
    for (auto& args : all) {
      args.segment = rows;
      args.segments = (length + rows - 1) / rows;
      args.segments_a_block = 1;
    }
    if (length > 0) start_scan<Part::read>(all, run);
  });
}

/// The state of every token into args.last.
template <class T>
void sum(ScanArgs<T> args, Run& run) {
  if (!args.last.z) args.parts.z_size = 0;
  add_parts(args, args.segments, run);
  sum_segments(Together<ScanArgs<T>>(args), run);
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
