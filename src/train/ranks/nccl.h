#pragma once

#include <c10/core/Device.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace cosformer::train {

/// Lets a group's tensors on a GPU go through NCCL, which connects the group's ranks now, one GPU each.
/// @throws DeviceError in builds without CUDA; c10::Error where NCCL fails
c10::intrusive_ptr<c10d::Backend> add_nccl(c10d::ProcessGroup& group,
                                           const c10::intrusive_ptr<c10d::Store>& store, c10::Device device);

}  // namespace cosformer::train
