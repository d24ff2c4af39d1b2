#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

namespace cosformer::cuda {

/// A function of the driver's, or null where it has none of that name. It is asked for, since the library is
/// linked with the runtime alone.
/// @param since the version of CUDA in which the function became what it is here, 1000 major + 10 minor
template <class Function>
Function* driver_function(const char* name, unsigned since) {
  void* found = nullptr;
  auto status = cudaDriverEntryPointSymbolNotFound;
  const bool good =
      cudaGetDriverEntryPointByVersion(name, &found, since, cudaEnableDefault, &status) == cudaSuccess;
  if (!good) cudaGetLastError();  // which a later launch would report
  return reinterpret_cast<Function*>(good && status == cudaDriverEntryPointSuccess ? found : nullptr);
}

}  // namespace cosformer::cuda
