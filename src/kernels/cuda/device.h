#pragma once

// What the kernels use of a GPU: indices, barriers, copies into a block's memory, matrix fragments. Compiled
// for a CPU (COSFORMER_EMULATE_CUDA) the same names come from emulator.h, so that the kernels are tested
// where there is no GPU.

#include <cstdint>

#include "cosformer/bfloat16.h"
#include "cosformer/float16.h"
#include "kernels/cuda/tf32.h"

#if defined(COSFORMER_EMULATE_CUDA)
#include "kernels/cuda/emulator.h"
#else

#include <cuda_runtime.h>

#define COSFORMER_DEVICE __device__ __forceinline__

namespace cosformer::cuda {

inline constexpr int kThreads = 256;
inline constexpr int kWarps = kThreads / 32;

COSFORMER_DEVICE int thread() {
  return static_cast<int>(threadIdx.x);
}
COSFORMER_DEVICE int64_t block() {
  return blockIdx.x;
}
COSFORMER_DEVICE void sync() {
  __syncthreads();
}
/// A barrier that tells whether any thread of the block says so.
COSFORMER_DEVICE bool any(bool mine) {
  return __syncthreads_or(mine);
}
COSFORMER_DEVICE void warp_sync() {
  __syncwarp();
}
COSFORMER_DEVICE float of_lane_xor(float mine, int mask) {
  return __shfl_xor_sync(0xFFFFFFFFU, mine, mask);
}
COSFORMER_DEVICE uint32_t ballot(bool mine) {
  return __ballot_sync(0xFFFFFFFFU, mine);
}
COSFORMER_DEVICE int64_t fetch_add(int64_t* number, int64_t more) {
  using Unsigned = unsigned long long;
  return static_cast<int64_t>(atomicAdd(reinterpret_cast<Unsigned*>(number), static_cast<Unsigned>(more)));
}

/// Memory that a block's threads share, aligned to 1024 bytes; as much as the launch asked for.
COSFORMER_DEVICE char* block_memory() {
  extern __shared__ __align__(1024) char memory[];
  return memory;
}
COSFORMER_DEVICE uint32_t shared_address(const void* in_block_memory) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(in_block_memory));
}

/// Begins to copy `bytes` of 16 bytes and sets the others to 0; both addresses are multiples of 16.
COSFORMER_DEVICE void copy16(void* to, const void* from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from),
               "r"(bytes));
}
/// Waits for every copy that this thread began.
COSFORMER_DEVICE void wait_for_copies() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}

/// Four 8 x 8 matrices of 16-bit elements; lane l names row l % 8 of matrix l / 8 and gets elements 2 (l % 4)
/// and the next of row l / 4 of each: of the transposed matrices with `kTransposed`.
template <bool kTransposed>
COSFORMER_DEVICE void load_matrices(uint32_t (&r)[4], const void* row) {
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
  }
}

/// sum [16, 8] += a [16, 16] b [16, 8], fragments as in the PTX manual's mma.m16n8k16.
COSFORMER_DEVICE void multiply_add(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                   bfloat16) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
COSFORMER_DEVICE void multiply_add(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                   float16) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// sum [16, 8] += a [16, 8] b [8, 8], fragments as in the PTX manual's mma.m16n8k8.
COSFORMER_DEVICE void multiply_add(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, Tf32) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
COSFORMER_DEVICE uint32_t bits_of(float x) {
  return __float_as_uint(x);
}
/// To nearest, ties away from zero.
COSFORMER_DEVICE float rounded(float x, Tf32) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
}

COSFORMER_DEVICE float widen(float x) {
  return x;
}
COSFORMER_DEVICE float widen(bfloat16 x) {
  return __uint_as_float(static_cast<uint32_t>(x.bits) << 16);
}
COSFORMER_DEVICE float widen(float16 x) {
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x.bits));
  return wide;
}
/// Of two numbers side by side, that at the lower address (e = 0) or the other.
template <class T>
COSFORMER_DEVICE float half_of(uint32_t pair, int e) {
  T half;
  half.bits = static_cast<uint16_t>(e == 0 ? pair : pair >> 16);
  return widen(half);
}
COSFORMER_DEVICE void narrow(float x, float& to) {
  to = x;
}
COSFORMER_DEVICE void narrow(float x, bfloat16& to) {
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(x));
}
COSFORMER_DEVICE void narrow(float x, float16& to) {
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(x));
}
/// Two numbers side by side in memory.
COSFORMER_DEVICE uint32_t narrow_pair(float first, float second, bfloat16) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
}
COSFORMER_DEVICE uint32_t narrow_pair(float first, float second, float16) {
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
}

/// The larger; NaN where either is.
COSFORMER_DEVICE float at_least(float x, float floor) {
  float larger;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(larger) : "f"(x), "f"(floor));
  return larger;
}
COSFORMER_DEVICE uint32_t at_least(uint32_t pair, uint32_t floors, bfloat16) {
  uint32_t larger;
  asm("max.NaN.bf16x2 %0, %1, %2;" : "=r"(larger) : "r"(pair), "r"(floors));
  return larger;
}
COSFORMER_DEVICE uint32_t at_least(uint32_t pair, uint32_t floors, float16) {
  uint32_t larger;
  asm("max.NaN.f16x2 %0, %1, %2;" : "=r"(larger) : "r"(pair), "r"(floors));
  return larger;
}

/// x y + z, rounded once, in every kernel that computes it.
COSFORMER_DEVICE float fused(float x, float y, float z) {
  return __fmaf_rn(x, y, z);
}
/// cos and sin of pi x
COSFORMER_DEVICE void cos_sin_of_pi(double x, double& cosine, double& sine) {
  sincospi(x, &sine, &cosine);
}
COSFORMER_DEVICE float exponential(double x) {
  return static_cast<float>(exp(x));
}
COSFORMER_DEVICE bool finite(float x) {
  return (__float_as_uint(x) & 0x7F800000U) != 0x7F800000U;
}

}  // namespace cosformer::cuda
#endif
