#pragma once

#include "kernels/cuda/warpgroup_scan.h"

// How a chunk's rows come. Where C tokens are rows that follow each other, the tensor memory accelerator
// brings them: one thread asks, and no other has to work out addresses. A sequence's last rows, whose
// neighbours belong to others, and rows with padding between them are gathered vector by vector.

namespace cosformer::cuda {

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::fetch_rows(const Item& item, int valid) {
  if (are_box(item.chunk * C, valid)) {
    if (is_fetcher()) fetch_boxes(item);
  } else {
    if (is_fetcher()) expect_bytes(barriers_ + item.stage, 0);
    gather_rows(item, valid);
  }
}

/// Whether a chunk's rows follow each other.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE bool WarpgroupScan<T, kX, kPart>::are_box(int first, int valid) const {
  return maps_.mapped && valid == C && adjoin(args_.tokens, b_, first, C);
}

/// The gate is needed where rows leave: after a reader's last source.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE bool WarpgroupScan<T, kX, kPart>::brings_gate(const Item& item) const {
  return kReads && args_.gate.data && (!kSums || item.source + 1 == args_.sources_a_reader);
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::fetch_boxes(const Item& item) {
  const int at = static_cast<int>(cuda::row(args_.tokens, b_, item.chunk * C)),
            source_head = source_head_ + item.source;
  const int b = args_.tokens.cu_seqlens ? 0 : static_cast<int>(b_);
  char* to = stage_rows(item.stage);
  uint64_t* barrier = barriers_ + item.stage;
  const bool gated = brings_gate(item);
  expect_bytes(barrier, (kReads ? L::kWideBytes : 0) + (kSums ? L::kWideBytes + L::kValueBytes : 0) +
                            (gated ? L::kPanel : 0));
#pragma unroll
  for (int x = 0; x < X; x += 64) {
    char* panel = to + x / 64 * L::kPanel;
    if (kReads) copy_box(panel, maps_.a_map, x, head_, at, b, barrier);
    if (kSums) copy_box(panel + L::kB, maps_.b_map, x, source_head, at, b, barrier);
  }
#pragma unroll
  for (int y = 0; kSums && y < Y; y += 32)
    copy_box(to + L::kC + y / 32 * L::kHalfPanel, maps_.c_map, column_ + y, source_head, at, b, barrier);
  if (gated) copy_box(to + L::kGate, maps_.gate_map, column_, head_, at, b, barrier);
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::gather_rows(const Item& item, int valid) {
  const int first = item.chunk * C, source_head = source_head_ + item.source;
  char* to = stage_rows(item.stage);
  const auto wide = [](char* rows) { return [=](int r, int x) { return wide_at(rows, r, x); }; };
  if (kReads) {
    load_tile<C, X>(wide(to), args_.a, args_.tokens, b_, head_, first, valid, 0);
    if (brings_gate(item))
      load_tile<C, Y>(wide(to + L::kGate), args_.gate, args_.tokens, b_, head_, first, valid, column_);
  }
  if (kSums) {
    load_tile<C, X>(wide(to + L::kB), args_.b, args_.tokens, b_, source_head, first, valid, 0);
    load_tile<C, Y>([=](int r, int y) { return value_at(to + L::kC, r, y); }, args_.c, args_.tokens, b_,
                    source_head, first, valid, column_);
  }
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::hand_over() {
  wait_for_copies();
  publish();
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::arrive(int stage) {
  wait_for_bytes(barriers_ + stage, parities_ >> stage & 1);
  parities_ ^= 1U << stage;
  a_rows_ = stage_rows(stage);
  b_rows_ = a_rows_ + L::kB;
  c_rows_ = a_rows_ + L::kC;
  gate_rows_ = a_rows_ + L::kGate;
  if (kPart == Part::read) out_rows_ = gate_rows_;
}

/// What put_rows() left in out_rows_ goes to memory.
template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::store_rows() {
  if (kPart == Part::sweep && are_box(first_, valid_)) {
    if (!is_fetcher()) return;
    const int at = static_cast<int>(cuda::row(args_.tokens, b_, first_));
    return store_box(out_rows_, maps_.out_map, column_, head_, at,
                     args_.tokens.cu_seqlens ? 0 : static_cast<int>(b_));
  }
  store_tile<Y>([this](int r, int y) { return wide_at(out_rows_, r, y); }, args_.out, {}, args_.tokens, b_,
                head_, first_, valid_, column_);
}

}  // namespace cosformer::cuda
