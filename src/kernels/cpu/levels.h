#pragma once

#include "cosformer/isa.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {

const Level& level_generic();
const Level& level_avx2();
const Level& level_avx512();

/// Kernels of a set that this machine can run.
/// @throws DeviceError where it cannot
const Level& level(Isa isa);

}  // namespace cosformer::cpu
