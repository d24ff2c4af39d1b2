#include "kernels/cpu/levels.h"

#include <algorithm>

#include "cosformer/kernel_choice.h"

namespace cosformer::cpu {
namespace {

const Level& level(Isa isa) {
  if (!available(isa)) throw DeviceError(std::string("attention: this machine lacks ") + name(isa));
#if defined(__x86_64__)
  if (isa == Isa::amx) return level_amx();
  if (isa == Isa::avx512_bf16) return level_avx512_bf16();
  if (isa == Isa::avx512) return level_avx512();
  if (isa == Isa::avx2) return level_avx2();
#endif
  return level_generic();
}

/// Intel's processors run AVX512_BF16 at half the rate of AVX-512 (docs/performance.md); AMD's at twice.
bool dot_products_are_fast() {
#if defined(__x86_64__)
  static const bool is_amd = __builtin_cpu_is("amd");
  return is_amd;
#else
  return false;
#endif
}

}  // namespace

template <>
const Kernels<float>& kernels_of(std::optional<Isa> isa) {
  level(isa.value_or(selected_isa()));
  return level(kernel_isa<float>(isa)).f32;
}

template <>
const Kernels<bfloat16>& kernels_of(std::optional<Isa> isa) {
  return level(kernel_isa<bfloat16>(isa)).bf16;
}

}  // namespace cosformer::cpu

namespace cosformer {

template <>
Isa kernel_isa<float>(std::optional<Isa> isa) {
  return std::min(isa.value_or(selected_isa()), Isa::avx512);
}

template <>
Isa kernel_isa<bfloat16>(std::optional<Isa> isa) {
  const Isa bound = isa.value_or(selected_isa());
  return !isa && bound == Isa::avx512_bf16 && !cpu::dot_products_are_fast() ? Isa::avx512 : bound;
}

}  // namespace cosformer
