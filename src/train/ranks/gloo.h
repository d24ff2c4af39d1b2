#pragma once

#include <string>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace cosformer::train {

/// A group that communicates through Gloo, over the interface by which `address` is reached.
c10::intrusive_ptr<c10d::ProcessGroup> gloo_group(const c10::intrusive_ptr<c10d::Store>& store, int64_t rank,
                                                  int64_t count, const std::string& address, uint16_t port);

}  // namespace cosformer::train
