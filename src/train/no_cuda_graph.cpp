// In builds without CUDA.

#include "cosformer/error.h"
#include "train/cuda_graph.h"

namespace cosformer::train {
namespace {

[[noreturn]] void refuse() {
  throw DeviceError("CUDA graphs: this build has no CUDA, expected one configured with COSFORMER_CUDA=ON");
}

}  // namespace

GraphCapture cuda_graphs() {
  return {[](const GraphCapture::Work&) { refuse(); },
          [](const GraphCapture::Work&) -> GraphCapture::Work { refuse(); }};
}

}  // namespace cosformer::train
