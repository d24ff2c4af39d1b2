#include "train/schedule.h"

#include <cmath>
#include <numbers>

namespace cosformer::train {

double learning_rate(const OptimizerRecipe& recipe, int64_t step, int64_t steps) {
  const auto ratio = [](int64_t part, int64_t whole) {
    return static_cast<double>(part) / static_cast<double>(whole);
  };
  if (step < recipe.warmup_steps) return recipe.learning_rate * ratio(step, recipe.warmup_steps);
  const int64_t left = steps - recipe.warmup_steps;
  const double done = left > 0 ? ratio(step - recipe.warmup_steps, left) : 1;
  const double height = 0.5 * (1 + std::cos(std::numbers::pi * done));
  return recipe.learning_rate * (recipe.final_fraction + (1 - recipe.final_fraction) * height);
}

}  // namespace cosformer::train
