#pragma once

#include <optional>

#include "cosformer/isa.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {

/// What an instruction set's translation unit gives out.
struct Level {
  Kernels<float> f32;
  Kernels<bfloat16> bf16;
};

const Level& level_generic();
const Level& level_avx2();
const Level& level_avx512();
const Level& level_avx512_bf16();
const Level& level_amx();

/// Kernels of exactly this set, or of the best one below it that has its own for T; none given: the fastest
/// at or below selected_isa().
/// @throws DeviceError where this machine cannot run the set
template <class T>
const Kernels<T>& kernels_of(std::optional<Isa> isa);

}  // namespace cosformer::cpu
