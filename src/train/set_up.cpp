#include "train/set_up.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include "train/reusing_allocator.h"

namespace cosformer::train {

void set_up_libtorch(const Recipe& recipe) {
  reuse_memory();
  at::set_num_threads(static_cast<int>(recipe.threads));
  at::globalContext().setDeterministicAlgorithms(true, false);
  // Nothing here reads memory that it has not written.
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  // Lets oneDNN take bfloat16 instructions for float32 products; the head's operands have no more bits.
  at::globalContext().setFloat32Precision(
      at::Float32Backend::MKLDNN, at::Float32Op::MATMUL,
      recipe.train.precision == "bfloat16" ? at::Float32Precision::BF16 : at::Float32Precision::NONE);
}

nn::ForwardOptions forward_options(const Recipe& recipe) {
  const bool rounded = recipe.train.precision == "bfloat16";
  return {.label_smoothing = recipe.train.label_smoothing,
          .precision = rounded ? nn::Precision::kBfloat16 : nn::Precision::kFloat32,
          .recompute = recipe.train.recompute};
}

}  // namespace cosformer::train
