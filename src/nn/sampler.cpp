#include <algorithm>
#include <cmath>
#include <sstream>

#include "cosformer/nn/generate.h"

namespace cosformer::nn {
namespace {

template <class T>
void require(bool holds, const char* option, const char* expected, T got) {
  if (!holds) {
    std::ostringstream message;
    message << option << ": expected " << expected << ", got " << got;
    throw ShapeError(message.str());
  }
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options, uint64_t seed) : options_(options), generator_(seed) {
  require(std::isfinite(options.temperature) && options.temperature >= 0, "temperature", "a number >= 0",
          options.temperature);
  require(options.top_k >= 0, "top_k", "an integer >= 0", options.top_k);
  require(options.top_p > 0 && options.top_p <= 1, "top_p", "a number in (0, 1]", options.top_p);
}

int64_t Sampler::sample(std::span<const float> logits) {
  const auto largest = std::max_element(logits.begin(), logits.end());
  const bool has_nan = std::any_of(logits.begin(), logits.end(), [](float x) { return std::isnan(x); });
  if (logits.empty() || has_nan || !std::isfinite(*largest)) {
    throw ShapeError("sampler: expected logits without NaN and a finite largest one");
  }
  if (options_.temperature == 0) {
    return largest - logits.begin();
  }
  keep_candidates(logits);
  double total = 0;
  for (const auto& [weight, token] : candidates_) {
    total += weight;
  }
  // 53 random bits: every double in [0, 1) that is a multiple of 2^-53, by arithmetic alone.
  double left = static_cast<double>(generator_() >> 11) * 0x1p-53 * total;
  for (const auto& [weight, token] : candidates_) {
    left -= weight;
    if (left < 0) {
      return token;
    }
  }
  // Rounding in the subtractions can leave a remainder of some ulps.
  return std::find_if(candidates_.rbegin(), candidates_.rend(), [](const auto& c) { return c.first > 0; })
      ->second;
}

void Sampler::keep_candidates(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  candidates_.clear();
  for (size_t token = 0; token < logits.size(); ++token) {
    candidates_.emplace_back(std::exp((logits[token] - largest) / options_.temperature), token);
  }
  const bool cut_k = options_.top_k > 0 && static_cast<size_t>(options_.top_k) < candidates_.size();
  if (!cut_k && options_.top_p == 1) {
    return;
  }
  const auto kept = cut_k ? candidates_.begin() + options_.top_k : candidates_.end();
  std::partial_sort(candidates_.begin(), kept, candidates_.end(), [&](const auto& a, const auto& b) {
    const float left = logits[a.second], right = logits[b.second];
    return left != right ? left > right : a.second < b.second;
  });
  candidates_.erase(kept, candidates_.end());
  if (options_.top_p == 1) {
    return;
  }
  double total = 0, sum = 0;
  for (const auto& [weight, token] : candidates_) {
    total += weight;
  }
  size_t count = 0;
  while (count < candidates_.size() && sum < options_.top_p * total) {
    sum += candidates_[count++].first;
  }
  candidates_.resize(count);
}

}  // namespace cosformer::nn
