#pragma once

#include "cosformer/isa.h"
#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {

/// What an instruction set's translation unit gives out.
struct Level {
  Kernels<float> f32;
  Kernels<bfloat16> bf16;

  template <class T>
  const Kernels<T>& kernels() const;
};
template <>
inline const Kernels<float>& Level::kernels<float>() const {
  return f32;
}
template <>
inline const Kernels<bfloat16>& Level::kernels<bfloat16>() const {
  return bf16;
}

const Level& level_generic();
const Level& level_avx2();
const Level& level_avx512();

/// Kernels of a set that this machine can run.
/// @throws DeviceError where it cannot
const Level& level(Isa isa);

}  // namespace cosformer::cpu
