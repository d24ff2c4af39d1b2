#pragma once

#include "kernels/cuda/box_copy.h"
#include "kernels/cuda/scan_args.h"
#include "kernels/cuda/warpgroup_layout.h"

namespace cosformer::cuda {

/// A launch's arguments and the maps by which rows of whole chunks come as boxes.
template <class T, Part kPart>
struct WarpgroupArgs : ScanArgs<T> {
  TensorMap a_map = {}, b_map = {}, c_map = {}, gate_map = {}, out_map = {};
  bool mapped = false;  ///< else every row is gathered, and leaves, by vectors

  WarpgroupArgs() = default;
  explicit WarpgroupArgs(const ScanArgs<T>& args) : ScanArgs<T>(args) {
    using L = WarpgroupLayout<T, 64, kPart>;
    mapped = args.tokens.length >= L::C;
    if (L::kReads) {
      mapped = mapped && map_boxes(args.a, args.reader_heads, L::C, Panel::wide, a_map) &&
               (!args.gate.data || map_boxes(args.gate, args.reader_heads, L::C, Panel::wide, gate_map));
    }
    if (L::kReads && L::kSums) {
      const auto& out = args.out;
      const Operand<const T> rows{out.data,        out.batch_stride, out.time_stride,
                                  out.head_stride, out.width,        out.aligned};
      mapped = mapped && map_boxes(rows, args.reader_heads, L::C, Panel::wide, out_map);
    }
    if (L::kSums) {
      mapped = mapped && map_boxes(args.b, args.source_heads, L::C, Panel::wide, b_map) &&
               map_boxes(args.c, args.source_heads, L::C, Panel::narrow, c_map);
    }
  }

 private:
  /// False where rows do not lie at multiples of 16 bytes, or several heads or sequences at one place.
  bool map_boxes(const Operand<const T>& from, int heads, int rows, Panel panel, TensorMap& map) const {
    const int64_t B = this->tokens.cu_seqlens ? 1 : this->B, size = sizeof(T);
    // The stride of one head or sequence is never used: as the manual has it, the size of what lies below.
    const auto bytes = [&](int64_t count, int64_t stride, int64_t below) {
      return static_cast<uint64_t>((count == 1 ? below : stride) * size);
    };
    const TensorBoxes boxes{
        .data = from.data,
        .sizes = {static_cast<uint64_t>(from.width), static_cast<uint64_t>(heads),
                  static_cast<uint64_t>(this->tokens.length), static_cast<uint64_t>(B)},
        .strides = {bytes(heads, from.head_stride, from.width), bytes(0, from.time_stride, 0),
                    bytes(B, from.batch_stride, this->tokens.length * from.time_stride)},
        .columns = static_cast<uint32_t>(static_cast<int64_t>(panel) / size),
        .rows = static_cast<uint32_t>(rows)};
    const bool apart = boxes.strides[0] > 0 && boxes.strides[1] > 0 && boxes.strides[2] > 0;
    return from.aligned && apart && encode(boxes, map);
  }
};

}  // namespace cosformer::cuda
