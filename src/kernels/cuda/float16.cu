#include "kernels/cuda/calls.h"
#include "kernels/cuda/instantiate.h"

namespace cosformer::cuda {

COSFORMER_INSTANTIATE_CUDA(float16)

}  // namespace cosformer::cuda
