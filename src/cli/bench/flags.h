#pragma once

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cli/bench/contender.h"
#include "cli/usage_error.h"

namespace cosformer::cli {

/// The values that the words of a flag stand for, each of `all` under its own name; "all" stands for all of
/// them.
/// @throws UsageError
template <class T>
std::vector<T> parse_words(const char* flag, const std::vector<std::string>& words,
                           const std::vector<T>& all) {
  std::vector<T> values;
  for (const std::string& word : words) {
    if (word == "all") return all;
    const auto at = std::find_if(all.begin(), all.end(), [&](T value) { return word == name(value); });
    if (at == all.end()) {
      std::string known;
      for (const T value : all) known += std::string(name(value)) + ", ";
      throw UsageError(std::string(flag) + ": expected " + known + "or all, got " + word);
    }
    values.push_back(*at);
  }
  return values;
}

inline std::vector<at::ScalarType> parse_dtypes(const std::vector<std::string>& words) {
  return parse_words("--dtype", words, std::vector{at::kFloat, at::kBFloat16});
}

}  // namespace cosformer::cli
