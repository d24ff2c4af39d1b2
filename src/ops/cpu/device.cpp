#include "ops/cpu/device.h"

#include "ops/fill/longest.h"

namespace cosformer::ops {

Cpu::Cpu(const Call& call, const Shape&) : dtype_(storage_type(call)) {
  check_longest(call);
}

}  // namespace cosformer::ops
