#pragma once

#include <torch/types.h>

#include <functional>
#include <string>

namespace cosformer::nn {

/// While this lives, each layer that computes on this thread shows its output, under the name of its
/// parameters: "blocks.1.ffn.up", and "blocks.1.attention" for what the operator gives. Not for blocks that
/// are recomputed.
class Inspection {
 public:
  using Look = std::function<void(const std::string& layer, const torch::Tensor& output)>;

  explicit Inspection(Look look);
  ~Inspection();
  Inspection(const Inspection&) = delete;
  Inspection& operator=(const Inspection&) = delete;

 private:
  friend class InspectedPart;
  friend torch::Tensor inspected(const char* layer, torch::Tensor output);

  Look look_;
  std::string part_;
};

/// While this lives, layers are those of the part `name` of the part around it.
class InspectedPart {
 public:
  explicit InspectedPart(const std::string& name);
  ~InspectedPart();
  InspectedPart(const InspectedPart&) = delete;
  InspectedPart& operator=(const InspectedPart&) = delete;

 private:
  std::size_t length_before_ = 0;
};

/// Shows the output of a layer of the part, or of the part itself for "", to the thread's inspection, if
/// there is one, and gives it back.
torch::Tensor inspected(const char* layer, torch::Tensor output);

}  // namespace cosformer::nn
