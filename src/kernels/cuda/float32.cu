#include "kernels/cuda/calls.h"
#include "kernels/cuda/instantiate.h"

namespace cosformer::cuda {

COSFORMER_INSTANTIATE_CUDA(float)

bool is_built() {
  return true;
}
bool is_available() {
#if defined(COSFORMER_EMULATE_CUDA)
  return true;
#else
  int count = 0, major = 0;
  if (!succeeded(cudaGetDeviceCount(&count))) return false;
  for (int device = 0; device < count; ++device) {
    if (succeeded(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device)) &&
        major >= kOldestMajor)
      return true;
  }
  return false;
#endif
}

}  // namespace cosformer::cuda
