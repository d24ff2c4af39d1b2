#include "train/run_state.h"

#include "cosformer/error.h"

namespace cosformer::train {

using Json = nlohmann::ordered_json;

std::string to_json(const RunState& state) {
  return Json{{"step", state.step},
              {"data_position", state.data_position},
              {"data_identity", state.data_identity},
              {"best_loss", state.best_loss ? Json(*state.best_loss) : Json()},
              {"best_step", state.best_step},
              {"skipped_steps", state.skipped_steps},
              {"loss_steps", state.loss.steps},
              {"loss_mean", state.loss.mean},
              {"loss_variance", state.loss.variance},
              {"window_loss", state.window.loss},
              {"window_predicted", state.window.predicted},
              {"window_spikes", state.window.spikes},
              {"machine", state.machine}}
             .dump(2) +
         '\n';
}

RunState run_state_from_json(const std::string& text, const std::string& place) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) throw FormatError(place + ": expected a JSON object, got something else");
  const auto get = [&](const char* key, bool (*fits)(const Json&)) {
    const bool there = json.contains(key);
    if (!there || !fits(json[key])) {
      throw FormatError(place + ": " + key + ": expected another value, got " +
                        (there ? json[key].dump() : "none"));
    }
    return json[key];
  };
  const auto count = [](const Json& value) { return value.is_number_integer() && value >= 0; };
  const auto object = [](const Json& value) { return value.is_object(); };
  const auto number = [](const Json& value) { return value.is_number(); };
  RunState state;
  state.step = get("step", count);
  state.data_position = get("data_position", count);
  state.data_identity = get("data_identity", object);
  const Json best = get("best_loss", [](const Json& value) { return value.is_number() || value.is_null(); });
  if (!best.is_null()) state.best_loss = best;
  state.best_step = get("best_step", count);
  state.skipped_steps = get("skipped_steps", count);
  state.loss.steps = get("loss_steps", count);
  state.loss.mean = get("loss_mean", number);
  state.loss.variance = get("loss_variance", number);
  state.window.loss = get("window_loss", number);
  state.window.predicted = get("window_predicted", count);
  state.window.spikes = get("window_spikes", count);
  state.machine = get("machine", object);
  return state;
}

}  // namespace cosformer::train
