#include "kernels/cuda/instantiate.h"
#include "kernels/cuda/passes.h"

namespace cosformer::cuda {

COSFORMER_INSTANTIATE_CUDA(float)

bool is_built() {
  return true;
}
bool is_available() {
#if defined(COSFORMER_EMULATE_CUDA)
  return true;
#else
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
#endif
}

}  // namespace cosformer::cuda
