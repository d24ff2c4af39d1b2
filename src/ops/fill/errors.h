#pragma once

#include <c10/util/Exception.h>

#include "cosformer/error.h"

namespace cosformer::ops {

/// Calls body(); what the kernel library throws leaves as c10 errors with the same line.
template <class Body>
void with_c10_errors(const Body& body) {
  try {
    body();
  } catch (const ShapeError& error) {
    TORCH_CHECK_VALUE(false, error.what());
  } catch (const DeviceError& error) {
    TORCH_CHECK(false, error.what());
  }
}

}  // namespace cosformer::ops
