#include "kernels/cuda/instantiate.h"
#include "kernels/cuda/passes.h"

namespace cosformer::cuda {

COSFORMER_INSTANTIATE_CUDA(float16)

}  // namespace cosformer::cuda
