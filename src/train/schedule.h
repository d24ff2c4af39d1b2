#pragma once

#include <cstdint>

#include "train/recipe.h"

namespace cosformer::train {

/// The learning rate of a step: step / warmup_steps of the peak up to warmup_steps, then half a cosine down
/// to final_fraction of it at the last step.
/// @param step from 1 to steps
double learning_rate(const OptimizerRecipe& recipe, int64_t step, int64_t steps);

}  // namespace cosformer::train
