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
  // Medium lets oneDNN take bfloat16 instructions for float32 products, and cuBLAS TF32's; the head's
  // operands have no more bits.
  at::globalContext().setFloat32MatmulPrecision(recipe.train.precision == "bfloat16" ? "medium" : "highest");
  // cuBLAS sums products of bfloat16 in float32.
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
}

nn::ForwardOptions forward_options(const Recipe& recipe) {
  const bool rounded = recipe.train.precision == "bfloat16";
  return {.label_smoothing = recipe.train.label_smoothing,
          .precision = rounded ? nn::Precision::kBfloat16 : nn::Precision::kFloat32,
          .recompute = recipe.train.recompute};
}

}  // namespace cosformer::train
