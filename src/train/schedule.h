#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/recipe.h"

namespace cosformer::train {

/// The learning rate of a step.
///
/// Up to warmup_steps it rises linearly from warmup_start times the peak to the peak. Then, with t steps done
/// since, d = t / (steps - warmup_steps), f = final_fraction and h(x) = (1 + cos(pi x)) / 2:
///
///   constant         peak
///   linear           peak (f + (1 - f) (1 - d))
///   polynomial       peak (f + (1 - f) (1 - d)^power)
///   cosine           peak (f + (1 - f) h(d))
///   cosine_restarts  peak restart_peak^i (f + (1 - f) h(x)), where x is what part of period i is done;
///   period 0 has
///                    `period` steps, each further one is period_growth times as long      (SGDR; fairseq's
///                    cosine)
///   inverse_sqrt     peak sqrt(warmup_steps / step)
///   rsqrt            peak / sqrt(max(step, warmup_steps)): Long Range Arena's, where "peak" is the factor in
///   front
///
/// @param peak  optimizer.learning_rate
/// @param step  from 1 on
/// @param steps the last step
double learning_rate(double peak, const ScheduleRecipe& recipe, int64_t step, int64_t steps);

/// One line for each way in which the schedule does not fit the run's length: a rise or a period that the run
/// is too short for.
std::vector<std::string> schedule_notes(const ScheduleRecipe& recipe, int64_t steps);

}  // namespace cosformer::train
