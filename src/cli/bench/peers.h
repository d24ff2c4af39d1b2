#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/bench/attention.h"

/// Other ways to compute the same attention, for comparison.
namespace cosformer::cli {

/// cosFormer as the paper's equations are written with LibTorch's functions: not causal, a sum of outer
/// products; causal, their cumulative sum over T, [B, T, H, 2 K, V]. Skipped where one such tensor exceeds 1
/// GiB.
Contender plain_torch_contender(int64_t heads, int64_t width, Mask mask);

/// fast-transformers' causal product in float32, in a process of options.python.
struct PythonPeer {
  std::string missing;  ///< why nothing was measured; empty where it was
  /// By length: pass and milliseconds of every call.
  std::map<int64_t, std::vector<nlohmann::json>> rows;
};
/// @throws std::runtime_error if it fails or its own result is wrong
PythonPeer measure_fast_transformers(const AttentionBenchOptions& options);

}  // namespace cosformer::cli
