// The one unit that includes NCCL's headers; in builds with CUDA.

#include "train/ranks/nccl.h"

#include <chrono>
#include <cstdlib>
// As LibTorch was built.
#define USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

namespace cosformer::train {

c10::intrusive_ptr<c10d::Backend> add_nccl(c10d::ProcessGroup& group,
                                           const c10::intrusive_ptr<c10d::Store>& store, c10::Device device) {
  // What goes wrong is for Watch to name, and for the thread that waits to throw; c10d's own watchdog would
  // end the process before.
  for (const char* name :
       {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "TORCH_NCCL_ENABLE_MONITORING", "TORCH_NCCL_RETHROW_CUDA_ERRORS"})
    ::setenv(name, "0", 0);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  // As Gloo's: a rank may compute for any time.
  options->timeout = std::chrono::hours(24 * 365);
  auto nccl =
      c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>("nccl", store),
                                                  group.getRank(), group.getSize(), std::move(options));
  group.setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::NCCL, nccl);
  nccl->eagerConnectSingleDevice(device);
  return nccl;
}

}  // namespace cosformer::train
