#pragma once

#include "kernels/cuda/device.h"

// Hopper's matrix instructions (wgmma, sm_90a): four warps multiply tiles in a block's memory, while their
// threads go on until they wait. Thread l of the group's warp w has of d[n][i] row 16 w + l % 32 / 4 + 8 (i /
// 2), column 8 n + 2 (l % 4) + i % 2.
//
// Tiles are panels: rows of 128 (or 64) bytes, whose 16-byte vectors stand in an order that depends on the
// row, so that eight rows of one column, and eight columns of one row, lie in different banks. A factor is
// read along its rows (depth within a row) or transposed (depth from row to row).

namespace cosformer::cuda {

/// Bytes of a panel's row.
enum class Panel { wide = 128, narrow = 64 };

/// Where byte `byte` of row r stands.
template <Panel kPanel>
COSFORMER_DEVICE unsigned panel_place(unsigned r, unsigned byte) {
  if constexpr (kPanel == Panel::wide) return r * 128 + (byte ^ (r % 8 * 16));
  return r * 64 + (byte ^ (r / 2 % 4 * 16));
}

/// Names a factor that begins at `start` to the instructions; plus a sixteenth of some bytes, one that begins
/// so much later. Groups of eight rows follow each other; a factor is no wider than one panel.
template <Panel kPanel>
COSFORMER_DEVICE uint64_t panel_at(const void* start) {
  constexpr uint64_t kSwizzle = kPanel == Panel::wide ? 1 : 2, kGroup = static_cast<uint64_t>(kPanel) * 8;
  return (shared_address(start) & 0x3FFFF) >> 4 | 1ULL << 16 | (kGroup >> 4) << 32 | kSwizzle << 62;
}

#if !defined(COSFORMER_EMULATE_CUDA)
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

/// What threads wrote to a block's memory is seen by matrix instructions after the next barrier.
COSFORMER_DEVICE void publish() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/// Before the first of several products whose sums or factors are in registers.
COSFORMER_DEVICE void begin_products() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
/// Before begin_products(): what was done to sums since the last products is not moved behind it, where the
/// compiler would have the products wait for it.
COSFORMER_DEVICE void settle(float (&d)[8][4]) {
#pragma unroll
  for (int n = 0; n < 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) asm volatile("" : "+f"(d[n][i]));
  }
}
COSFORMER_DEVICE void end_products() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Four 8 x 8 matrices of 16-bit elements into a block's memory, from fragments as load_matrices() has them;
/// lane l names the place of row l % 8 of matrix l / 8.
COSFORMER_DEVICE void store_matrices(void* row, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)),
               "r"(a), "r"(b), "r"(c), "r"(d)
               : "memory");
}
/// Waits for all but the last kLater groups of products.
template <int kLater>
COSFORMER_DEVICE void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kLater) : "memory");
}

/// d [64, 64] = (d) + a [64, 16] b [16, 64]
template <bool kTransposedA, bool kTransposedB>
COSFORMER_DEVICE void warpgroup_multiply(float (&d)[8][4], uint64_t a, uint64_t b, bool adds, bfloat16) {
  asm volatile(
      "{ .reg .pred p; setp.ne.b32 p, %34, 0; "
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, "
      "%8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, "
      "%26, %27, %28, %29, %30, %31}, %32, %33, p, 1, 1, %35, %36; }"
      : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]),
        "+f"(d[1][2]), "+f"(d[1][3]), "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]),
        "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3]), "+f"(d[4][0]), "+f"(d[4][1]),
        "+f"(d[4][2]), "+f"(d[4][3]), "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3]),
        "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3]), "+f"(d[7][0]), "+f"(d[7][1]),
        "+f"(d[7][2]), "+f"(d[7][3])
      : "l"(a), "l"(b), "r"(static_cast<int>(adds)), "n"(kTransposedA ? 1 : 0), "n"(kTransposedB ? 1 : 0));
}
template <bool kTransposedA, bool kTransposedB>
COSFORMER_DEVICE void warpgroup_multiply(float (&d)[8][4], uint64_t a, uint64_t b, bool adds, float16) {
  asm volatile(
      "{ .reg .pred p; setp.ne.b32 p, %34, 0; "
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, "
      "%9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, "
      "%27, %28, %29, %30, %31}, %32, %33, p, 1, 1, %35, %36; }"
      : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]),
        "+f"(d[1][2]), "+f"(d[1][3]), "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]),
        "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3]), "+f"(d[4][0]), "+f"(d[4][1]),
        "+f"(d[4][2]), "+f"(d[4][3]), "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3]),
        "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3]), "+f"(d[7][0]), "+f"(d[7][1]),
        "+f"(d[7][2]), "+f"(d[7][3])
      : "l"(a), "l"(b), "r"(static_cast<int>(adds)), "n"(kTransposedA ? 1 : 0), "n"(kTransposedB ? 1 : 0));
}

/// d [64, 64] = (d) + a [64, 16] b [16, 64], a as fragments of mma.m16n8k16.
template <bool kTransposedB>
COSFORMER_DEVICE void warpgroup_multiply(float (&d)[8][4], const uint32_t (&a)[4], uint64_t b, bool adds,
                                         bfloat16) {
  asm volatile(
      "{ .reg .pred p; setp.ne.b32 p, %37, 0; "
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, "
      "%11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, "
      "%31}, {%32, %33, %34, %35}, %36, p, 1, 1, %38; }"
      : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]),
        "+f"(d[1][2]), "+f"(d[1][3]), "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]),
        "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3]), "+f"(d[4][0]), "+f"(d[4][1]),
        "+f"(d[4][2]), "+f"(d[4][3]), "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3]),
        "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3]), "+f"(d[7][0]), "+f"(d[7][1]),
        "+f"(d[7][2]), "+f"(d[7][3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(adds)),
        "n"(kTransposedB ? 1 : 0));
}
template <bool kTransposedB>
COSFORMER_DEVICE void warpgroup_multiply(float (&d)[8][4], const uint32_t (&a)[4], uint64_t b, bool adds,
                                         float16) {
  asm volatile(
      "{ .reg .pred p; setp.ne.b32 p, %37, 0; "
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
      "{%32, %33, %34, %35}, %36, p, 1, 1, %38; }"
      : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]),
        "+f"(d[1][2]), "+f"(d[1][3]), "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]),
        "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3]), "+f"(d[4][0]), "+f"(d[4][1]),
        "+f"(d[4][2]), "+f"(d[4][3]), "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3]),
        "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3]), "+f"(d[7][0]), "+f"(d[7][1]),
        "+f"(d[7][2]), "+f"(d[7][3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(adds)),
        "n"(kTransposedB ? 1 : 0));
}

/// d [64, 8] = (d) + a [64, 16] b [16, 8]
template <bool kTransposedB>
COSFORMER_DEVICE void warpgroup_multiply(float (&d)[1][4], const uint32_t (&a)[4], uint64_t b, bool adds,
                                         bfloat16) {
  asm volatile(
      "{ .reg .pred p; setp.ne.b32 p, %9, 0; "
      "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%0, %1, %2, %3}, {%4, %5, %6, %7}, %8, p, 1, 1, "
      "%10; }"
      : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(adds)),
        "n"(kTransposedB ? 1 : 0));
}

/// d [64, 32] += a [64, 16] b [16, 32], a as fragments of mma.m16n8k16.
template <bool kTransposedB>
COSFORMER_DEVICE void warpgroup_multiply(float (&d)[4][4], const uint32_t (&a)[4], uint64_t b, bfloat16) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, "
      "%8, %9, %10, %11, %12, %13, %14, %15}, {%16, %17, %18, %19}, %20, 1, 1, 1, %21;"
      : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]),
        "+f"(d[1][2]), "+f"(d[1][3]), "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]),
        "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(kTransposedB ? 1 : 0));
}
template <bool kTransposedB>
COSFORMER_DEVICE void warpgroup_multiply(float (&d)[4][4], const uint32_t (&a)[4], uint64_t b, float16) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.f16.f16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, "
      "%9, %10, %11, %12, %13, %14, %15}, {%16, %17, %18, %19}, %20, 1, 1, 1, %21;"
      : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]),
        "+f"(d[1][2]), "+f"(d[1][3]), "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]),
        "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(kTransposedB ? 1 : 0));
}

#else  // other architectures hold the kernel, which is never started there

COSFORMER_DEVICE void publish() {}
COSFORMER_DEVICE void begin_products() {}
COSFORMER_DEVICE void settle(float (&)[8][4]) {}
COSFORMER_DEVICE void end_products() {}
template <int kLater>
COSFORMER_DEVICE void wait_for_products() {}
template <bool kTransposedA, bool kTransposedB, class T>
COSFORMER_DEVICE void warpgroup_multiply(float (&)[8][4], uint64_t, uint64_t, bool, T) {
  __trap();
}
COSFORMER_DEVICE void store_matrices(void*, uint32_t, uint32_t, uint32_t, uint32_t) {}
template <bool kTransposedB, int kN, class T>
COSFORMER_DEVICE void warpgroup_multiply(float (&)[kN][4], const uint32_t (&)[4], uint64_t, bool, T) {
  __trap();
}
template <bool kTransposedB, class T>
COSFORMER_DEVICE void warpgroup_multiply(float (&)[4][4], const uint32_t (&)[4], uint64_t, T) {
  __trap();
}

#endif
#endif

}  // namespace cosformer::cuda
