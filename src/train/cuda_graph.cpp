#include "train/cuda_graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>

#include <memory>

namespace cosformer::train {
namespace {

/// The default stream cannot be captured. All streams wait for the work, as it does for them.
void on_own_stream(const GraphCapture::Work& work) {
  static const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
  c10::cuda::device_synchronize();
  {
    const c10::cuda::CUDAStreamGuard guard(stream);
    work();
  }
  c10::cuda::device_synchronize();
}

GraphCapture::Work capture(const GraphCapture::Work& work) {
  const auto graph = std::make_shared<at::cuda::CUDAGraph>();
  on_own_stream([&] {
    // A graph has memory of its own and takes none that the warm-ups have left.
    c10::cuda::CUDACachingAllocator::emptyCache();
    graph->capture_begin();
    work();
    graph->capture_end();
  });
  return [graph] { graph->replay(); };
}

}  // namespace

GraphCapture cuda_graphs() {
  return {on_own_stream, capture};
}

}  // namespace cosformer::train
