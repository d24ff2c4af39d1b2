#include "kernels/cuda/instantiate.h"
#include "kernels/cuda/passes.h"

namespace cosformer::cuda {

COSFORMER_INSTANTIATE_CUDA(float)

bool is_built() {
  return true;
}

}  // namespace cosformer::cuda
