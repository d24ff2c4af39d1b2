// In builds without CUDA.

#include "cosformer/error.h"
#include "train/ranks/nccl.h"

namespace cosformer::train {

c10::intrusive_ptr<c10d::Backend> add_nccl(c10d::ProcessGroup&, const c10::intrusive_ptr<c10d::Store>&,
                                           c10::Device) {
  throw DeviceError("ranks: this build has no NCCL, expected one configured with COSFORMER_CUDA=ON");
}

}  // namespace cosformer::train
