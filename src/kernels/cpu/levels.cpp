#include "kernels/cpu/levels.h"

namespace cosformer::cpu {

const Level& level(Isa isa) {
  if (!available(isa)) throw DeviceError(std::string("attention: this machine lacks ") + name(isa));
#if defined(__x86_64__)
  if (isa == Isa::avx512) return level_avx512();
  if (isa == Isa::avx2) return level_avx2();
#endif
  return level_generic();
}

}  // namespace cosformer::cpu
