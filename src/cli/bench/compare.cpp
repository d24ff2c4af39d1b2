#include "cli/bench/compare.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numbers>

#include "cli/bench/metrics.h"
#include "cli/bench/timing.h"
#include "cosformer/error.h"
#include "cosformer/nn/attention.h"
#include "cosformer/nn/generate.h"
#include "cosformer/nn/model_folder.h"

namespace cosformer::cli {
namespace {

std::vector<double> finite_values(const std::string& run, const std::string& split,
                                  const std::string& metric) {
  std::vector<double> values;
  for (const io::ChartPoint& point : read_metric(run, split, metric)) {
    if (std::isfinite(point.y)) values.push_back(point.y);
  }
  if (values.empty()) {
    throw FormatError(run + "/metrics.jsonl: expected lines with split " + split + " and " + metric +
                      ", got none");
  }
  std::sort(values.begin(), values.end());
  return values;
}

int64_t peak_bytes(const std::filesystem::path& run) {
  const std::filesystem::path path = run / "run.json";
  std::ifstream file(path);
  if (!file) throw IoError(path.string() + ": cannot be read");
  const auto json = nlohmann::json::parse(file, nullptr, false);
  if (!json.is_object() || !json.contains("peak_bytes") || !json["peak_bytes"].is_number_integer()) {
    throw FormatError(path.string() + ": peak_bytes: expected an integer, got " +
                      (json.is_object() && json.contains("peak_bytes") ? json["peak_bytes"].dump() : "none"));
  }
  return json["peak_bytes"];
}

std::string sample(const std::string& run, const CompareOptions& options) {
  nn::LanguageModel model = nn::load_model(run, nn::Weights::kBest);
  const nn::LanguageModelConfig& config = model->config();
  std::vector<int64_t> prompt;
  for (const char c : options.prompt) prompt.push_back(static_cast<unsigned char>(c));
  int64_t limit = std::numeric_limits<int64_t>::max();
  if (config.horizon) limit = *config.horizon;
  if (config.positions == "learned") limit = std::min(limit, config.max_length);
  if (static_cast<int64_t>(prompt.size()) >= limit) {
    throw ShapeError("prompt: expected fewer bytes than the " + std::to_string(limit) + " positions of " +
                     run + ", got " + std::to_string(prompt.size()));
  }
  nn::GenerationOptions generation;
  generation.tokens = std::min(options.tokens, limit - static_cast<int64_t>(prompt.size()));
  generation.sampling.temperature = 0.8;
  generation.seed = options.seed;
  std::string text;
  for (const int64_t token : nn::generate(model, prompt, generation)) text += static_cast<char>(token);
  return text;
}

/// Milliseconds of one layer of each model at one length: the models take turns, the best of all rounds
/// counts.
void time_layers(std::vector<ModelReport>& models, const std::vector<nn::LanguageModelConfig>& configs,
                 int64_t length, int rounds) {
  const torch::NoGradGuard no_grad;
  std::vector<nn::MultiHeadAttention> layers;
  std::vector<torch::Tensor> inputs;
  for (const nn::LanguageModelConfig& config : configs) {
    nn::AttentionOptions options{config.width, config.heads, config.attention, std::nullopt, 1};
    if (config.attention == "cosformer" && config.horizon) options.horizon = length;
    layers.emplace_back(options);
    inputs.push_back(torch::randn({1, length, config.width}));
    layers.back()->forward(inputs.back());
  }
  std::vector<Timing> timings(models.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < models.size(); ++i)
      measure_round(timings[i], [&] { layers[i]->forward(inputs[i]); });
  }
  for (std::size_t i = 0; i < models.size(); ++i) models[i].forward_milliseconds[length] = timings[i].best();
}

}  // namespace

std::vector<ModelReport> compare(const CompareOptions& options) {
  torch::set_num_threads(options.threads);
  std::vector<ModelReport> models;
  std::vector<nn::LanguageModelConfig> configs;
  for (const std::string& run : options.runs) {
    configs.push_back(nn::load_config(run));
    if (configs.back().vocabulary_size != 256) {
      throw FormatError(run + "/config.json: vocabulary_size: expected 256, a model of bytes, got " +
                        std::to_string(configs.back().vocabulary_size));
    }
    ModelReport report;
    report.model = run_name(run);
    report.valid_bits_per_byte = finite_values(run, "valid", "loss").front() / std::numbers::ln2;
    const std::vector<double> speeds = finite_values(run, "train", "tokens_per_second");
    report.train_tokens_per_second = speeds[speeds.size() / 2];
    report.peak_bytes = peak_bytes(run);
    report.sample = sample(run, options);
    models.push_back(std::move(report));
  }
  keep_freed_memory();
  const BoundThreads bound(options.threads);
  for (const int64_t length : options.lengths) time_layers(models, configs, length, options.rounds);
  return models;
}

}  // namespace cosformer::cli
