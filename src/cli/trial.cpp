#include "cli/trial.h"

#include <chrono>
#include <filesystem>
#include <random>

#include "data/tokenizer.h"
#include "data/tokens.h"
#include "train/device.h"

namespace cosformer::cli {
namespace {

data::Tokens random_bytes(int64_t count) {
  std::mt19937_64 generator(1);
  std::vector<int32_t> bytes(static_cast<std::size_t>(count));
  for (int32_t& byte : bytes) byte = static_cast<int32_t>(generator() % 256);
  return data::Tokens(std::move(bytes));
}

}  // namespace

Trial::Trial(train::Recipe recipe, int64_t least_steps)
    : recipe_(std::move(recipe)),
      has_data_(std::filesystem::exists(recipe_.data.path)),
      step_tokens_(recipe_.train.batch_size * recipe_.train.accumulation * recipe_.train.sequence_length),
      team_(train::open_device(recipe_.train.device)) {
  recipe_.train.steps = std::max(recipe_.train.steps, least_steps);
  const data::Format format = data::parse_format(recipe_.data.format);
  const int64_t length = recipe_.train.sequence_length;
  const bool is_random = !has_data_ && format == data::Format::kBytes;
  const auto tokenizer = is_random ? data::Tokenizer() : data::Tokenizer::of_data(recipe_.data.path, format);
  recipe_.model.vocabulary_size = tokenizer.vocabulary_size();
  data::Sequences sequences(is_random
                                ? random_bytes(step_tokens_ + 1)
                                : data::read_split(recipe_.data.path, format, "train", tokenizer, length + 1),
                            length);
  epoch_tokens_ = sequences.predicted();
  trainer_.emplace(recipe_, std::move(sequences), team_);
}

TimedStep timed_step(train::Trainer& trainer) {
  const auto start = std::chrono::steady_clock::now();
  const double loss = trainer.step().loss;
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), loss};
}

std::vector<double> timed_steps(train::Trainer& trainer, double seconds) {
  timed_step(trainer);
  std::vector<double> times;
  for (double spent = 0; times.empty() || spent < seconds; spent += times.back())
    times.push_back(timed_step(trainer).seconds);
  return times;
}

}  // namespace cosformer::cli
