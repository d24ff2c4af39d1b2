#pragma once

#include "cosformer/nn/language_model.h"
#include "train/recipe.h"

namespace cosformer::train {

/// Threads, determinism, precision and memory of LibTorch, for the whole process.
void set_up_libtorch(const Recipe& recipe);

nn::ForwardOptions forward_options(const Recipe& recipe);

}  // namespace cosformer::train
