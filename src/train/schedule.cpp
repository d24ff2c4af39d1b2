#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <sstream>

namespace cosformer::train {
namespace {

double half_cosine(double done) {
  return 0.5 * (1 + std::cos(std::numbers::pi * done));
}

/// Of the first peak.
double restarted(const ScheduleRecipe& recipe, double done) {
  double period = static_cast<double>(recipe.period), peak = 1;
  while (done >= period) {
    done -= period;
    period *= recipe.period_growth;
    peak *= recipe.restart_peak;
  }
  return peak * (recipe.final_fraction + (1 - recipe.final_fraction) * half_cosine(done / period));
}

}  // namespace

double learning_rate(double peak, const ScheduleRecipe& recipe, int64_t step, int64_t steps) {
  const auto now = static_cast<double>(step), warmup = static_cast<double>(recipe.warmup_steps);
  if (recipe.kind == "rsqrt") peak /= std::sqrt(std::max(warmup, 1.0));
  if (step < recipe.warmup_steps)
    return peak * (recipe.warmup_start + (1 - recipe.warmup_start) * now / warmup);
  if (recipe.kind == "constant") return peak;
  if (recipe.kind == "inverse_sqrt" || recipe.kind == "rsqrt")
    return peak * std::sqrt(std::max(warmup, 1.0) / now);
  if (recipe.kind == "cosine_restarts") return peak * restarted(recipe, now - warmup);
  const double left = static_cast<double>(steps) - warmup;
  const double done = left > 0 ? (now - warmup) / left : 1;
  const double height = recipe.kind == "cosine"   ? half_cosine(done)
                        : recipe.kind == "linear" ? 1 - done
                                                  : std::pow(1 - done, recipe.power);
  return peak * (recipe.final_fraction + (1 - recipe.final_fraction) * height);
}

std::vector<std::string> schedule_notes(const ScheduleRecipe& recipe, int64_t steps) {
  const std::string run = "the run of " + std::to_string(steps) + " steps ends ";
  if (recipe.warmup_steps >= steps) {
    return {"schedule.warmup_steps = " + std::to_string(recipe.warmup_steps) + ": " + run +
            "before the learning rate has come down from its peak"};
  }
  if (recipe.kind != "cosine_restarts") return {};
  auto left = static_cast<double>(steps - recipe.warmup_steps), period = static_cast<double>(recipe.period);
  for (; left > period; period *= recipe.period_growth) left -= period;
  if (left >= period - 1) return {};
  std::ostringstream place;
  place << "schedule.period = " << recipe.period << ": " << run << left << " steps into a period of "
        << period;
  return {place.str()};
}

}  // namespace cosformer::train
