#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/bench/contender.h"

namespace cosformer::cli {

struct AttentionBenchOptions {
  std::vector<int64_t> lengths = {512, 1024, 2048, 4096, 8192, 16384};
  int64_t heads = 8, width = 64;
  std::vector<at::ScalarType> dtypes = {at::kFloat};
  std::vector<Mask> masks = {Mask::causal};
  std::vector<Isa> isas;
  std::vector<Form> forms;
  int threads = 2, rounds = 5;
  int64_t longest_sdpa = 8192;
  bool peers = false;              ///< also plain LibTorch and fast-transformers, in float32
  std::string python = "python3";  ///< what runs the latter
};

/// Times the operator, the kernel library and SDPA in turns, after each has shown right results. Progress
/// goes to stderr.
/// @return the report with figures: machine, versions, peaks, and of every dtype, mask, length, way and pass
///         the times of all calls (docs/files.md)
/// @throws WrongResult
nlohmann::json bench_attention(const AttentionBenchOptions& options);

/// From every repeat and the highest peaks of all processes: best times, rates, percent of the roofline, and
/// how many times faster than SDPA.
void add_figures(nlohmann::json& report);

/// One report of the same benchmark's reports from several processes; every repeat stays.
/// @throws FormatError if they do not have the same rows
nlohmann::json merged_reports(const std::vector<nlohmann::json>& reports);

/// The report as tables, and as an SVG with charts of milliseconds and percent of the roofline against
/// length.
std::string attention_table(const nlohmann::json& report);
std::string attention_chart(const nlohmann::json& report);

/// Peak resident memory of causal forward with backward through the operator, beyond inputs, outputs and
/// gradients.
/// @return {T, heads, width, inputs_bytes, beyond_bytes, limit_bytes}; the limit is a tenth of the inputs
/// plus 64 MB
/// @throws IoError where the system does not tell resident memory
nlohmann::json bench_attention_memory(int64_t T, int64_t heads, int64_t width, int threads);

}  // namespace cosformer::cli
