#include "train/step_window.h"

#include <nlohmann/json.hpp>

namespace cosformer::train {

void StepWindow::add(double mean_loss, int64_t targets, bool is_spike, double step_seconds) {
  loss += mean_loss * static_cast<double>(targets);
  predicted += targets;
  spikes += is_spike ? 1 : 0;
  seconds += step_seconds;
  tokens += targets;
}

nlohmann::ordered_json StepWindow::take_line(int64_t step, double learning_rate, double gradient_norm,
                                             int64_t skipped_steps) {
  nlohmann::ordered_json line = {{"step", step},
                                 {"split", "train"},
                                 {"loss", loss / static_cast<double>(predicted)},
                                 {"learning_rate", learning_rate},
                                 {"gradient_norm", gradient_norm},
                                 {"spikes", spikes},
                                 {"skipped_steps", skipped_steps},
                                 {"tokens_per_second", static_cast<double>(tokens) / seconds},
                                 {"saving_seconds", saving_seconds}};
  *this = {};
  return line;
}

}  // namespace cosformer::train
