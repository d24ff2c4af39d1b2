#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace cosformer::cli {

struct StepBenchOptions {
  int64_t batch = 512, heads = 8, width = 64;  ///< 134 MB of states
  std::vector<at::ScalarType> dtypes = {at::kFloat};
  int threads = 2, rounds = 10;
};

/// One token for each sequence of a batch (attention_step_): bytes of states, inputs and output a second
/// beside what reading memory reaches in the same run; and what a call costs for one sequence with one head
/// through LibTorch's dispatcher and straight to the kernels.
/// @throws WrongResult
nlohmann::json bench_step(const StepBenchOptions& options);

std::string step_table(const nlohmann::json& report);

}  // namespace cosformer::cli
