#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/bench/attention.h"

/// What else the operator can do, timed beside the dense case with as many tokens.
namespace cosformer::cli {

struct Attended {
  AttentionCase inputs;  ///< of other shapes where the variant needs them
  AttentionFunction attention;
};

struct Variant {
  std::string name;
  double allowed = 1.1;  ///< times the dense case's time
  Attended variant, dense;
};

/// Left padding and holes (a fifth of the rows), packed sequences, [B, H, T, K] storage, grouped heads, decay
/// (causal only) and no normalisation, each with T tokens.
std::vector<Variant> make_variants(int64_t T, int64_t heads, int64_t width, Mask mask, at::ScalarType dtype);

/// Compares both sides with the double reference, output and gradients.
/// @throws WrongResult
void check(const Variant& variant);

/// Times every variant of every dtype, mask and length in turns with its dense case.
/// @return machine, shape and results: dtype, mask, length, variant, pass, both times in milliseconds, their
///         ratio and the allowed one, and every repeat
/// @throws WrongResult
nlohmann::json bench_variants(const AttentionBenchOptions& options);

std::string variants_table(const nlohmann::json& report);

}  // namespace cosformer::cli
