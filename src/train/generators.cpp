#include "train/generators.h"

#include <algorithm>
#include <cstring>

#include "cosformer/error.h"
#include "nn/random_state.h"

namespace cosformer::train {

std::string generators_name(torch::Device device) {
  return "generators." + c10::DeviceTypeName(device.type(), true);
}

std::vector<torch::Device> generator_devices(torch::Device device) {
  if (device.is_cpu()) return {device};
  return {torch::kCPU, device};
}

std::string generator_rows(const std::vector<io::TensorBytes>& tensors, torch::Device device,
                           const std::string& place) {
  const std::string name = generators_name(device);
  const auto found = std::ranges::find(tensors, name, &io::TensorBytes::name);
  if (found == tensors.end() && !device.is_cpu()) return {};
  const auto row = static_cast<int64_t>(nn::random_state(device).nbytes());
  if (found == tensors.end() || found->dtype != "U8" || found->shape.size() != 2 || found->shape[1] != row) {
    throw FormatError(place + ": " + name + ": expected U8 [ranks, " + std::to_string(row) + "], got " +
                      (found == tensors.end() ? "none" : "another shape or dtype"));
  }
  return {reinterpret_cast<const char*>(found->bytes.data()), found->bytes.size()};
}

void set_generator(torch::Device device, const std::string& rows, int64_t row, int64_t count) {
  const torch::Tensor state = nn::random_state(device);
  if (rows.size() != static_cast<std::size_t>(count) * state.nbytes()) return;
  std::memcpy(state.mutable_data_ptr(), rows.data() + static_cast<std::size_t>(row) * state.nbytes(),
              state.nbytes());
  nn::set_random_state(state, device);
}

}  // namespace cosformer::train
