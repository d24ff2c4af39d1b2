#pragma once

#include "kernels/cuda/emulator.h"
#include "kernels/cuda/tensor_boxes.h"

// The tensor memory accelerator of the emulated GPU. A box comes when its barrier is waited for; until then
// its place is NaN. One leaves when its panel is waited for. What would hang a GPU, or be undefined there,
// ends the program.

namespace cosformer::cuda {

using TensorMap = TensorBoxes;

/// False where the driver would refuse.
bool encode(const TensorBoxes& boxes, TensorMap& map);

void init_barrier(uint64_t* barrier);
void expect_bytes(uint64_t* barrier, int bytes);
void copy_box(void* to, const TensorMap& map, int column, int head, int row, int b, uint64_t* barrier);
void wait_for_bytes(uint64_t* barrier, unsigned parity);
void store_box(const void* from, const TensorMap& map, int column, int head, int row, int b);
void wait_for_panels();

namespace emulator {
/// At the end of a block: no box is still to come, or to leave.
void end_boxes();
}  // namespace emulator

}  // namespace cosformer::cuda
