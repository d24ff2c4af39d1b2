#include "train/run.h"

#include <algorithm>
#include <cmath>

#include "cosformer/error.h"
#include "cosformer/nn/generate.h"
#include "cosformer/nn/model_folder.h"
#include "io/xml_text.h"
#include "train/evaluation.h"
#include "train/machine.h"
#include "train/replay.h"
#include "train/set_up.h"

namespace cosformer::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What differs between two objects, "threads 2, not 1", or nothing.
std::string difference(const Json& now, const Json& before) {
  std::string text;
  for (const auto& [key, value] : now.items()) {
    const Json was = before.value(key, Json());
    if (was != value) text += (text.empty() ? "" : ", ") + key + ' ' + value.dump() + ", not " + was.dump();
  }
  return text;
}

}  // namespace

Run::Run(const Recipe& recipe, const fs::path& folder, const data::Tokenizer& tokenizer,
         data::Sequences train, data::Sequences valid, const TrainOptions& options,
         const TrainObserver& observer, Team& team)
    : recipe_(recipe),
      folder_(folder),
      observer_(observer),
      tokenizer_(tokenizer),
      team_(team),
      valid_(std::move(valid)),
      store_(folder / "checkpoints", recipe.train.keep_checkpoints) {
  state_.data_identity = {{"train", train.identity()}, {"valid", valid_.identity()}};
  team.require_equal("data", state_.data_identity.dump(2));
  state_.machine = machine_json(recipe);
  state_.machine["ranks"] = team.count();
  trainer_.emplace(recipe, std::move(train), team);
  if (!restore()) {
    if (team.is_first() && !options.initial_model.empty()) begin_with(options.initial_model);
    trainer_->follow_first();
  }
}

TrainResult Run::run(const StopSignal& stop) {
  const TrainRecipe& train = recipe_.train;
  if (team_.is_first()) log_.emplace(folder_, state_.step, to_toml(recipe_));
  std::optional<std::string> stopped_by;
  while (state_.step < train.steps && !ran_out_of_patience(state_) && !stopped_by) {
    const Clock::time_point start = Clock::now();
    const Trainer::Step step = take_step();
    const double seconds = seconds_since(start);
    const int64_t done = state_.step = trainer_->steps_done();
    const bool last = done == train.steps;
    log(step, seconds, last || done % train.log_every == 0);
    TrainProgress progress{done, train.steps, step.loss, step.predicted, std::nullopt};
    if (last || done % train.evaluate_every == 0) progress.valid_loss = evaluate_now();
    observer_.on_step(progress);
    const bool finished = last || ran_out_of_patience(state_);
    const std::optional<std::string> reason = reason_to_stop(stop);
    const bool stops = team_.any(reason.has_value());
    if (finished || stops || done % train.checkpoint_every == 0) save();
    if (finished && !last) note_end();
    if (stops && !finished) stopped_by = reason.value_or("another rank");
  }
  writes_.wait();
  return {state_.step, stopped_by};
}

std::optional<std::string> Run::reason_to_stop(const StopSignal& stop) const {
  if (const char* signal = stop.received()) return signal;
  const auto limit = static_cast<double>(recipe_.train.time_limit);
  if (limit > 0 && seconds_since(start_) >= limit) return "train.time_limit";
  return std::nullopt;
}

Trainer::Step Run::take_step() {
  const std::string failure = "step " + std::to_string(state_.step + 1) +
                              ": out of memory; lower train.batch_size (train.accumulation makes up for it), "
                              "train.sequence_length, model.width or model.layers";
  try {
    return finite_step();
  } catch (const std::bad_alloc&) {
    throw TrainingError(failure);
  } catch (const c10::OutOfMemoryError&) {
    throw TrainingError(failure);
  } catch (const c10::Error& error) {
    // LibTorch has no type for it on the CPU.
    if (std::string_view(error.what()).find("t allocate memory") == std::string_view::npos) throw;
    throw TrainingError(failure);
  }
}

Trainer::Step Run::finite_step() {
  for (int64_t in_a_row = 1;; ++in_a_row) {
    try {
      return trainer_->step();
    } catch (const NonFiniteError& error) {
      const fs::path aside = folder_ / kNonFiniteStep;
      if (team_.is_first()) io::write_safetensors(aside, to_bytes(on_host(error.step)));
      const std::string repeat = "; cosformer train --replay " + aside.string() + " repeats it";
      if (in_a_row > recipe_.train.skip_non_finite) throw TrainingError(error.what() + repeat);
      ++state_.skipped_steps;
      observer_.on_note(std::string("skipped: ") + error.what() + repeat);
    }
  }
}

bool Run::ran_out_of_patience(const RunState& state) const {
  const TrainRecipe& train = recipe_.train;
  return train.patience > 0 && state.best_loss && state.step % train.evaluate_every == 0 &&
         state.step - state.best_step >= train.patience * train.evaluate_every;
}

void Run::note_end() const {
  observer_.on_note("ended after step " + std::to_string(state_.step) +
                    ": no lower validation loss since step " + std::to_string(state_.best_step));
}

void Run::begin_with(const fs::path& model) {
  const fs::path file = nn::weights_path(model, nn::Weights::kLast);
  const std::vector<std::string> left_out = trainer_->load_fitting_weights(file);
  for (const std::string& line : left_out) observer_.on_note(file.string() + ": not used: " + line);
}

bool Run::restore() {
  std::optional<StoredCheckpoint> stored;
  if (team_.is_first()) stored = store_.load_newest(observer_.on_note);
  const std::string text = team_.from_first(stored ? stored->state : "");
  if (text.empty()) return false;
  const std::string place =
      (folder_ / "checkpoints").string() + (stored ? ": step " + std::to_string(stored->step) : "");
  RunState state = run_state_from_json(text, place);
  if ((stored && state.step != stored->step) || state.step > recipe_.train.steps) {
    throw FormatError(place + ": step: expected that of the folder, got " + std::to_string(state.step));
  }
  if (const std::string other = difference(state_.data_identity, state.data_identity); !other.empty())
    throw FormatError(recipe_.data.path + ": expected the data that the run began with, got " + other);
  trainer_->restore(stored ? stored->tensors.tensors() : std::vector<io::TensorBytes>(), state.step,
                    state.data_position, place);
  const bool is_finished = state.step == recipe_.train.steps || ran_out_of_patience(state);
  const std::string other = difference(state_.machine, state.machine);
  if (!other.empty() && !is_finished) {
    observer_.on_note("this is another machine (" + other +
                      "): the last bits may differ from those of an uninterrupted run");
  }
  state.machine = state_.machine;
  state_ = std::move(state);
  observer_.on_note((is_finished ? "finished before, at step " : "continuing after step ") +
                    std::to_string(state_.step));
  return true;
}

void Run::log(const Trainer::Step& step, double seconds, bool is_due) {
  state_.window.add(step.loss, step.predicted, state_.loss.add(step.loss), seconds);
  if (!is_due) return;
  Json line =
      state_.window.take_line(state_.step, step.learning_rate, step.gradient_norm, state_.skipped_steps);
  line["data_wait_seconds"] = trainer_->take_seconds_waited();
  if (log_) log_->write(line);
}

double Run::evaluate_now() {
  const Clock::time_point start = Clock::now();
  const Trainer::AveragedWeights averaged(*trainer_);
  const double loss = evaluate(trainer_->model(), valid_, recipe_.train.batch_size, team_,
                               forward_options(recipe_).precision);
  if (!std::isfinite(loss)) {
    throw TrainingError("step " + std::to_string(state_.step) + ": expected a finite validation loss, got " +
                        std::to_string(loss));
  }
  if (log_) {
    Json line = {{"step", state_.step},
                 {"split", "valid"},
                 {"loss", loss},
                 {"evaluation_seconds", seconds_since(start)}};
    if (recipe_.train.sample_tokens > 0) line["sample"] = sample();
    log_->write(std::move(line));
  }
  if (!state_.best_loss || loss < *state_.best_loss) {
    state_.best_loss = loss;
    state_.best_step = state_.step;
    save_best();
  }
  return loss;
}

std::string Run::sample() {
  constexpr int64_t kPrompt = 8;
  const data::Batch batch = valid_.batch(std::vector<int64_t>{0});
  const int64_t length = recipe_.train.sequence_length;
  const int64_t prompt = std::max<int64_t>(1, std::min({kPrompt, batch.predicted, length / 2}));
  std::vector<int64_t> tokens(batch.inputs.begin(), batch.inputs.begin() + prompt);
  nn::GenerationOptions options;
  options.tokens = std::min(recipe_.train.sample_tokens, length - prompt);
  options.sampling.temperature = 0.8;
  options.seed = static_cast<uint64_t>(recipe_.seed);
  const std::vector<int64_t> drawn = nn::generate(trainer_->model(), tokens, options);
  tokens.insert(tokens.end(), drawn.begin(), drawn.end());
  return io::valid_text(tokenizer_.decode(tokens));
}

void Run::save() {
  const Clock::time_point start = Clock::now();
  wait_for_earlier_writes();
  state_.data_position = trainer_->data_position();
  const NamedTensors of_all = trainer_->state();
  if (!team_.is_first()) return;
  const bool averaged = recipe_.train.average_decay > 0;
  writes_.post([this, averaged, step = state_.step, state = to_json(state_), tensors = copy_of(of_all)] {
    log_->sync();
    nn::save_weights(with_prefix(tensors, averaged ? "averages." : "weights."),
                     nn::weights_path(folder_, nn::Weights::kLast));
    store_.save(step, to_bytes(tensors), state);
  });
  state_.window.saving_seconds += seconds_since(start);
}

void Run::save_best() {
  if (!team_.is_first()) return;
  const Clock::time_point start = Clock::now();
  wait_for_earlier_writes();
  NamedTensors weights;
  for (const auto& parameter : trainer_->model()->named_parameters())
    weights.emplace_back(parameter.key(), parameter.value());
  writes_.post([weights = copy_of(weights), file = nn::weights_path(folder_, nn::Weights::kBest)] {
    nn::save_weights(weights, file);
  });
  state_.window.saving_seconds += seconds_since(start);
}

void Run::wait_for_earlier_writes() {
  if (writes_of_step_ != state_.step) writes_.wait();
  writes_of_step_ = state_.step;
}

}  // namespace cosformer::train
