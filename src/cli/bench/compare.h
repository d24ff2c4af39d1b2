#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

/// What byte-level models that were trained alike reached, and what their attention costs.
namespace cosformer::cli {

struct CompareOptions {
  std::vector<std::string> runs;
  std::vector<int64_t> lengths = {512, 4096, 16384};
  int threads = 1, rounds = 3;
  std::string prompt = "The ";
  int64_t tokens = 200;
  uint64_t seed = 1;
};

struct ModelReport {
  std::string model;                               ///< the run's folder name
  double valid_bits_per_byte = 0;                  ///< of the best weights: the lowest of the run
  double train_tokens_per_second = 0;              ///< median
  int64_t peak_bytes = 0;                          ///< of the training process
  std::map<int64_t, double> forward_milliseconds;  ///< of one attention layer by length, no gradients
  std::string sample;                              ///< what the best weights write after the prompt
};

/// Reads the runs, times one attention layer of each model's width with random weights and horizon = length,
/// taking turns, and generates a sample from each.
/// @throws IoError, FormatError if a folder is no run of a byte-level model
std::vector<ModelReport> compare(const CompareOptions& options);

/// One row a model, then the samples, indented.
std::string compare_table(const std::vector<ModelReport>& models, const std::string& prompt);
/// The list that results.json holds.
nlohmann::json compare_json(const std::vector<ModelReport>& models);
/// Milliseconds of one attention layer against length, as SVG.
std::string compare_time_chart(const std::vector<ModelReport>& models, const std::string& note);

}  // namespace cosformer::cli
