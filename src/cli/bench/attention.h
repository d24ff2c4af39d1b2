#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cosformer/attention.h"

namespace cosformer::cli {

struct AttentionBenchOptions {
  std::vector<int64_t> lengths = {512, 1024, 2048, 4096, 8192, 16384};
  int64_t heads = 8, width = 64;
  bool causal = true;
  std::vector<Isa> isas;
  std::vector<Form> forms;
  int threads = 2, rounds = 5;
  int64_t longest_sdpa = 8192;
};

/// Times the operator, the kernel library and SDPA in turns, after each has shown right results. Progress
/// goes to stderr.
/// @return the report: machine, versions, peaks, and of every length, way and pass the times of all calls and
/// the
///         percent of the roofline
/// @throws WrongResult
nlohmann::json bench_attention(const AttentionBenchOptions& options);

/// The report as a table, and as an SVG chart of milliseconds against length.
std::string attention_table(const nlohmann::json& report);
std::string attention_chart(const nlohmann::json& report);

/// Peak resident memory of causal forward with backward through the operator, beyond inputs, outputs and
/// gradients.
/// @return {T, heads, width, inputs_bytes, beyond_bytes, limit_bytes}; the limit is a tenth of the inputs
/// plus 64 MB
/// @throws IoError where the system does not tell resident memory
nlohmann::json bench_attention_memory(int64_t T, int64_t heads, int64_t width, int threads);

}  // namespace cosformer::cli
