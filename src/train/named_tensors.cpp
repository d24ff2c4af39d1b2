#include "train/named_tensors.h"

#include <cstring>
#include <map>
#include <sstream>

#include "cosformer/error.h"

namespace cosformer::train {
namespace {

std::string text_of(const std::string& dtype, at::IntArrayRef shape) {
  std::ostringstream text;
  text << dtype << ' ' << shape;
  return text.str();
}

const char* dtype_of(const torch::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case torch::kFloat32:
      return "F32";
    case torch::kInt64:
      return "I64";
    default:
      TORCH_INTERNAL_ASSERT(tensor.scalar_type() == torch::kUInt8);
      return "U8";
  }
}

}  // namespace

std::vector<io::TensorBytes> to_bytes(const NamedTensors& tensors) {
  std::vector<io::TensorBytes> bytes;
  for (const auto& [name, tensor] : tensors) {
    TORCH_INTERNAL_ASSERT(tensor.is_cpu() && tensor.is_contiguous());
    bytes.push_back({name,
                     dtype_of(tensor),
                     tensor.sizes().vec(),
                     {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}});
  }
  return bytes;
}

NamedTensors copy_of(const NamedTensors& tensors) {
  NamedTensors copies;
  for (const auto& [name, tensor] : tensors)
    copies.emplace_back(name, tensor.detach().to(torch::kCPU, tensor.scalar_type(), false, true));
  return copies;
}

NamedTensors on_host(const NamedTensors& tensors) {
  NamedTensors there;
  for (const auto& [name, tensor] : tensors) there.emplace_back(name, tensor.detach().cpu());
  return there;
}

NamedTensors with_prefix(const NamedTensors& tensors, const std::string& prefix) {
  NamedTensors found;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix)) found.emplace_back(name.substr(prefix.size()), tensor);
  return found;
}

void copy_from(const std::vector<io::TensorBytes>& stored, const NamedTensors& tensors,
               const std::string& place) {
  std::map<std::string, const io::TensorBytes*> by_name;
  for (const io::TensorBytes& tensor : stored) by_name.emplace(tensor.name, &tensor);
  for (const auto& [name, tensor] : tensors) {
    const auto found = by_name.find(name);
    const std::string expected = text_of(dtype_of(tensor), tensor.sizes());
    const std::string got =
        found == by_name.end() ? "none" : text_of(found->second->dtype, found->second->shape);
    if (got != expected) throw FormatError(place + ": " + name + ": expected " + expected + ", got " + got);
  }
  const torch::NoGradGuard no_gradients;
  for (const auto& [name, tensor] : tensors) {
    const auto bytes = by_name.at(name)->bytes;
    const torch::Tensor host = tensor.is_cpu() ? tensor : at::empty_like(tensor, torch::kCPU);
    if (!bytes.empty()) std::memcpy(host.mutable_data_ptr(), bytes.data(), bytes.size());
    tensor.copy_(host);
  }
}

}  // namespace cosformer::train
