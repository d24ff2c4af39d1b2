#pragma once

#include "kernels/cuda/tensor_boxes.h"
#include "kernels/cuda/warpgroup.h"

// Hopper's tensor memory accelerator: one thread asks for a box of a tensor, whose rows come as a panel
// (warpgroup.h), with 0 for what lies beyond the tensor, or leave from one. A barrier in the block's memory
// counts the bytes that are still to come; its phases have parity 0, 1, 0, ... in turn.

#if defined(COSFORMER_EMULATE_CUDA)
#include "kernels/cuda/emulated_boxes.h"
#else

#include "kernels/cuda/driver.h"

namespace cosformer::cuda {

using TensorMap = CUtensorMap;

/// Makes the map that copies need. False where the accelerator does not take such a tensor, or the driver has
/// no such function.
inline bool encode(const TensorBoxes& boxes, TensorMap& map) {
  static auto* const encode_tiled =
      driver_function<decltype(cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled", 12000);
  const uint32_t box[] = {boxes.columns, 1, boxes.rows, 1}, every[] = {1, 1, 1, 1};
  return encode_tiled &&
         encode_tiled(&map, CU_TENSOR_MAP_DATA_TYPE_UINT16, 4, const_cast<void*>(boxes.data), boxes.sizes,
                      boxes.strides, box, every, CU_TENSOR_MAP_INTERLEAVE_NONE,
                      boxes.columns == 64 ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_64B,
                      CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

/// One thread, before the block's next barrier. Each phase then waits for one expect_bytes().
COSFORMER_DEVICE void init_barrier(uint64_t* barrier) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared_address(barrier)) : "memory");
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  publish();
}
/// Says how many bytes the phase waits for, before they are asked for.
COSFORMER_DEVICE void expect_bytes(uint64_t* barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(bytes)
               : "memory");
}
/// Begins to copy the box that begins at an element. Every thread has called publish() before the last
/// barrier: what it did to this memory until then comes first.
COSFORMER_DEVICE void copy_box(void* to, const TensorMap& map, int column, int head, int row, int b,
                               uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, "
      "%4, "
      "%5}], [%6];" ::"r"(shared_address(to)),
      "l"(&map), "r"(column), "r"(head), "r"(row), "r"(b), "r"(shared_address(barrier))
      : "memory");
}
/// Begins to copy a panel to the box that begins at an element. Every thread that wrote there has called
/// publish() before the last barrier.
COSFORMER_DEVICE void store_box(const void* from, const TensorMap& map, int column, int head, int row,
                                int b) {
  asm volatile(
      "cp.async.bulk.tensor.4d.global.shared::cta.tile.bulk_group [%0, {%1, %2, %3, %4}], [%5];\n"
      "cp.async.bulk.commit_group;" ::"l"(&map),
      "r"(column), "r"(head), "r"(row), "r"(b), "r"(shared_address(from))
      : "memory");
}
/// Waits until the panels of this thread's boxes have been read.
COSFORMER_DEVICE void wait_for_panels() {
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}
/// Waits for the phase of this parity.
COSFORMER_DEVICE void wait_for_bytes(uint64_t* barrier, unsigned parity) {
  uint32_t here = 0;
  while (here == 0) {
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.b32 %0, 1, 0, p; }"
        : "=r"(here)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  }
}

}  // namespace cosformer::cuda
#endif
