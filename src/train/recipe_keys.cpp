#include "train/recipe_keys.h"

#include <algorithm>
#include <numeric>
#include <sstream>

namespace cosformer::train {
namespace {

constexpr double kMost = 9e15;  // A double counts this far.

#define COSFORMER_FIELD(path) [](Recipe& recipe) -> Field { return &recipe.path; }

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// The shortest decimal number that reads back as the same double, with a point or exponent as TOML wants.
std::string number_text(double value) {
  for (int digits = 1; digits <= 17; ++digits) {
    std::ostringstream text;
    text.precision(digits);
    text << value;
    if (std::stod(text.str()) == value) {
      const bool whole = text.str().find_first_of(".e") == std::string::npos;
      return text.str() + (whole ? ".0" : "");
    }
  }
  return std::to_string(value);
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (code < 0x20 || code == 0x7f) {
      constexpr const char* kHex = "0123456789ABCDEF";
      result += std::string("\\u00") + kHex[code / 16] + kHex[code % 16];
    } else {
      result += c;
    }
  }
  return result + '"';
}

}  // namespace

const std::vector<Key>& recipe_keys() {
  static const std::vector<Key> keys = {
      {"seed", COSFORMER_FIELD(seed), "an integer >= 0", 0, kMost, true,
       "of initial weights, data order and dropout"},
      {"threads", COSFORMER_FIELD(threads), "an integer from 0 to 1024", 0, 1024, false,
       "0 = the cores at hand; another number may change the last bits"},
      {"data.path", COSFORMER_FIELD(data.path), "a folder", 0, 0, false, "where the splits lie"},
      {"data.format", COSFORMER_FIELD(data.format), "bytes | wikitext | shards", 0, 0, true,
       "bytes: {train,valid,test}.txt; wikitext: words; shards: what `cosformer data shard` has made"},
      {"model.attention", COSFORMER_FIELD(model.attention), "cosformer | linear | softmax", 0, 0, true,
       "kind of attention; all have equal parameters"},
      {"model.horizon", COSFORMER_FIELD(model.horizon), "an integer >= 1 or \"none\"", 1, kMost, true,
       "M in tokens, cosformer alone; default train.sequence_length"},
      {"model.layers", COSFORMER_FIELD(model.layers), "an integer >= 1", 1, 1 << 14, true, "blocks"},
      {"model.width", COSFORMER_FIELD(model.width), "an integer >= 1", 1, 1 << 20, true,
       "of the residual stream"},
      {"model.heads", COSFORMER_FIELD(model.heads), "a divisor of model.width", 1, 1 << 20, true,
       "attention heads"},
      {"model.ffn_width", COSFORMER_FIELD(model.ffn_width), "an integer >= 1", 1, 1 << 22, true,
       "of the feed-forward layers"},
      {"model.ffn", COSFORMER_FIELD(model.ffn), "gelu | swiglu", 0, 0, true, "kind of feed-forward"},
      {"model.positions", COSFORMER_FIELD(model.positions), "learned | sinusoidal", 0, 0, true,
       "absolute positions added to the embedding"},
      {"model.max_length", COSFORMER_FIELD(model.max_length), "an integer >= 1", 1, kMost, true,
       "rows of learned positions; default train.sequence_length"},
      {"model.dropout", COSFORMER_FIELD(model.dropout), "a number in [0, 1)", 0, 1, true,
       "probability, of the embedding and of each block's two outputs"},
      {"model.activation_dropout", COSFORMER_FIELD(model.activation_dropout), "a number in [0, 1)", 0, 1,
       true, "probability, of the feed-forward layers' activations"},
      {"model.attention_dropout", COSFORMER_FIELD(model.attention_dropout), "a number in [0, 1)", 0, 1, true,
       "probability, of attention's weights; softmax alone, the others form none"},
      {"model.tie_embeddings", COSFORMER_FIELD(model.tie_embeddings), "true or false", 0, 0, true,
       "whether the head uses the embedding's matrix"},
      {"optimizer.kind", COSFORMER_FIELD(optimizer.kind), "adamw | adam | nag", 0, 0, true,
       "decoupled decay | decay in the gradient | SGD with Nesterov's momentum"},
      {"optimizer.learning_rate", COSFORMER_FIELD(optimizer.learning_rate), "a number >= 0", 0, 1e6, true,
       "its peak, after the warm-up; with schedule.kind = rsqrt the factor in front"},
      {"optimizer.beta1", COSFORMER_FIELD(optimizer.beta1), "a number in [0, 0.9999999]", 0, 0.9999999, true,
       "adam, adamw: decay of the first moment"},
      {"optimizer.beta2", COSFORMER_FIELD(optimizer.beta2), "a number in [0, 0.9999999]", 0, 0.9999999, true,
       "adam, adamw: decay of the second moment"},
      {"optimizer.eps", COSFORMER_FIELD(optimizer.eps), "a number in [1e-20, 1]", 1e-20, 1, true,
       "adam, adamw: added to the root of the second moment"},
      {"optimizer.momentum", COSFORMER_FIELD(optimizer.momentum), "a number in [0, 0.9999999]", 0, 0.9999999,
       true, "nag: what a step keeps of the one before"},
      {"optimizer.weight_decay", COSFORMER_FIELD(optimizer.weight_decay), "a number >= 0", 0, 1e6, true,
       "times the learning rate, a step"},
      {"optimizer.decay", COSFORMER_FIELD(optimizer.decay), "matrices | all", 0, 0, true,
       "which weights decay; vectors are biases and scales"},
      {"optimizer.clip_value", COSFORMER_FIELD(optimizer.clip_value), "a number >= 0", 0, 1e12, true,
       "largest absolute value of a gradient's element; 0 = any"},
      {"optimizer.clip_norm", COSFORMER_FIELD(optimizer.clip_norm), "a number >= 0", 0, 1e12, true,
       "largest norm of all gradients together; 0 = any"},
      {"schedule.kind", COSFORMER_FIELD(schedule.kind),
       "cosine | cosine_restarts | linear | polynomial | inverse_sqrt | rsqrt | constant", 0, 0, true,
       "how the learning rate goes on after the warm-up"},
      {"schedule.warmup_steps", COSFORMER_FIELD(schedule.warmup_steps), "an integer >= 0", 0, kMost, true,
       "steps of linear rise"},
      {"schedule.warmup_start", COSFORMER_FIELD(schedule.warmup_start), "a number in [0, 1]", 0, 1, true,
       "of the peak, where the rise begins"},
      {"schedule.final_fraction", COSFORMER_FIELD(schedule.final_fraction), "a number in [0, 1]", 0, 1, true,
       "of the peak, where cosine, cosine_restarts, linear and polynomial end"},
      {"schedule.power", COSFORMER_FIELD(schedule.power), "a number in [0.01, 100]", 0.01, 100, true,
       "polynomial: of what is left of the run"},
      {"schedule.period", COSFORMER_FIELD(schedule.period), "an integer >= 1", 1, kMost, true,
       "cosine_restarts: steps to the first restart"},
      {"schedule.period_growth", COSFORMER_FIELD(schedule.period_growth), "a number in [1, 1000]", 1, 1000,
       true, "cosine_restarts: of a period, how long the next one is"},
      {"schedule.restart_peak", COSFORMER_FIELD(schedule.restart_peak), "a number in [0, 1]", 0, 1, true,
       "cosine_restarts: of a period's peak, how high the next one is"},
      {"train.steps", COSFORMER_FIELD(train.steps), "an integer >= 1", 1, kMost, true, "optimiser steps"},
      {"train.batch_size", COSFORMER_FIELD(train.batch_size), "an integer >= 1", 1, 1 << 20, true,
       "sequences a micro-step"},
      {"train.accumulation", COSFORMER_FIELD(train.accumulation), "an integer >= 1", 1, 1 << 20, true,
       "micro-steps a step"},
      {"train.sequence_length", COSFORMER_FIELD(train.sequence_length), "an integer >= 1", 1, 1 << 30, true,
       "tokens"},
      {"train.precision", COSFORMER_FIELD(train.precision), "float32 | bfloat16", 0, 0, true,
       "of the operands of products; weights, gradients, moments and sums are float32"},
      {"train.device", COSFORMER_FIELD(train.device), "cpu | cuda", 0, 0, false,
       "what computes; cuda: a GPU for each rank of a machine, in builds configured with COSFORMER_CUDA"},
      {"train.cuda_graphs", COSFORMER_FIELD(train.cuda_graphs), "true or false", 0, 0, false,
       "whether a GPU replays forward and backward passes as CUDA graphs, in steps without padding: fewer "
       "launches, same bits"},
      {"train.recompute", COSFORMER_FIELD(train.recompute), "true or false", 0, 0, false,
       "whether the backward pass computes each block again rather than keeping it: less memory, same bits"},
      {"train.skip_non_finite", COSFORMER_FIELD(train.skip_non_finite), "an integer >= 0", 0, kMost, true,
       "how many batches in a row may be skipped whose loss or gradient is not finite; 0 = stop at the "
       "first"},
      {"train.evaluate_every", COSFORMER_FIELD(train.evaluate_every), "an integer >= 1", 1, kMost, true,
       "steps between validations; the last step has one too"},
      {"train.checkpoint_every", COSFORMER_FIELD(train.checkpoint_every), "an integer >= 1", 1, kMost, false,
       "steps between checkpoints; the last step has one too"},
      {"train.keep_checkpoints", COSFORMER_FIELD(train.keep_checkpoints), "an integer >= 1", 1, 1 << 20,
       false, "how many of the last are kept"},
      {"train.log_every", COSFORMER_FIELD(train.log_every), "an integer >= 1", 1, kMost, true,
       "steps between lines of the training loss"},
      {"train.patience", COSFORMER_FIELD(train.patience), "an integer >= 0", 0, kMost, true,
       "validations without a lower loss before the run ends; 0 = it goes on"},
      {"train.time_limit", COSFORMER_FIELD(train.time_limit), "an integer >= 0", 0, kMost, false,
       "seconds before the run stops with a checkpoint and exit code 3; 0 = none"},
      {"train.average_decay", COSFORMER_FIELD(train.average_decay), "a number in [0, 0.9999999]", 0,
       0.9999999, true,
       "of the running average of weights, which is what is evaluated and kept; 0 = the weights themselves"},
      {"train.label_smoothing", COSFORMER_FIELD(train.label_smoothing), "a number in [0, 1)", 0, 0.9999999,
       true, "share of a target's probability that all tokens get, in training"},
      {"train.sample_tokens", COSFORMER_FIELD(train.sample_tokens), "an integer >= 0", 0, 1 << 20, true,
       "tokens that each validation generates, after the first 8 of the split; 0 = none"},
      {"train.sequence_ranks", COSFORMER_FIELD(train.sequence_ranks), "an integer >= 1", 1, 1 << 20, false,
       "ranks that split each sequence's tokens among them; a divisor of train.sequence_length"},
      {"train.rank_timeout", COSFORMER_FIELD(train.rank_timeout), "an integer >= 1", 1, 1 << 20, false,
       "seconds after which a rank that does not answer counts as gone"},
  };
  return keys;
}

#undef COSFORMER_FIELD

const Key* find_key(std::string_view name) {
  const auto& keys = recipe_keys();
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.name == name; });
  return found == keys.end() ? nullptr : &*found;
}

const Key& nearest_key(std::string_view name) {
  const auto& keys = recipe_keys();
  return *std::min_element(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
    return edit_distance(name, a.name) < edit_distance(name, b.name);
  });
}

std::string value_text(const Field& field) {
  struct Text {
    std::string operator()(const int64_t* value) const { return std::to_string(*value); }
    std::string operator()(const double* value) const { return number_text(*value); }
    std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
    std::string operator()(const std::string* value) const { return quoted(*value); }
    std::string operator()(const std::optional<int64_t>* value) const {
      return *value ? std::to_string(**value) : "\"none\"";
    }
  };
  return std::visit(Text{}, field);
}

}  // namespace cosformer::train
