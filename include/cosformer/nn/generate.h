#pragma once

#include <functional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "cosformer/nn/language_model.h"

namespace cosformer::nn {

struct SamplingOptions {
  /// Divides the logits; 0 takes the most likely token (of equals the first) and draws nothing.
  double temperature = 1;
  /// Only the k most likely tokens; 0 = all.
  int64_t top_k = 0;
  /// Of those, the fewest whose probabilities sum to at least top_p, in (0, 1].
  double top_p = 1;
};

/// Draws tokens from logits. Own arithmetic in double and a generator fixed by the C++ standard: the same
/// seed and logits give the same tokens.
class Sampler {
 public:
  /// @throws ShapeError naming the option that is out of range
  Sampler(const SamplingOptions& options, uint64_t seed);

  /// @param logits one a token; at least one, the largest finite
  /// @throws ShapeError if there are none or the largest is not finite
  int64_t sample(std::span<const float> logits);

 private:
  void keep_candidates(std::span<const float> logits);

  SamplingOptions options_;
  std::mt19937_64 generator_;
  /// (weight, token); kept between calls for its memory.
  std::vector<std::pair<double, int64_t>> candidates_;
};

struct GenerationOptions {
  /// New tokens.
  int64_t tokens = 256;
  SamplingOptions sampling = {};
  uint64_t seed = 0;
};

/// Continues a prompt: one prefill, then one recurrent step a token, in evaluation mode (restored after).
/// @param prompt   at least one token
/// @param on_token called with each new token as soon as it is drawn; false stops
/// @return the new tokens
/// @throws ShapeError, before any work, if the prompt is empty, holds a token outside the vocabulary, an
/// option is out of range, or prompt and new tokens reach beyond the model's horizon or learned positions
std::vector<int64_t> generate(LanguageModel& model, std::span<const int64_t> prompt,
                              const GenerationOptions& options,
                              const std::function<bool(int64_t)>& on_token = {});

}  // namespace cosformer::nn
