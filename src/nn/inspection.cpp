#include "nn/inspection.h"

namespace cosformer::nn {
namespace {

thread_local Inspection* current = nullptr;

}  // namespace

Inspection::Inspection(Look look) : look_(std::move(look)) {
  TORCH_CHECK(!current, "inspection: expected one at a time on a thread");
  current = this;
}

Inspection::~Inspection() {
  current = nullptr;
}

InspectedPart::InspectedPart(const std::string& name) {
  if (!current) return;
  length_before_ = current->part_.size();
  current->part_ += name + '.';
}

InspectedPart::~InspectedPart() {
  if (current) current->part_.resize(length_before_);
}

torch::Tensor inspected(const char* layer, torch::Tensor output) {
  if (current) {
    std::string name = current->part_ + layer;
    if (name.ends_with('.')) name.pop_back();
    current->look_(name, output);
  }
  return output;
}

}  // namespace cosformer::nn
