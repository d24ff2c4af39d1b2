#pragma once

#include <cctype>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace cosformer::data::test {

/// How many windows of one text occur in another; written without regard to how the library looks for them.
struct SharedWindows {
  std::size_t words8 = 0, bytes50 = 0, bytes100 = 0;
};

inline std::vector<std::string> tokens_of(std::string_view text) {
  std::vector<std::string> tokens(1);
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c))) {
      if (!tokens.back().empty()) tokens.emplace_back();
    } else {
      tokens.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  if (tokens.back().empty()) tokens.pop_back();
  return tokens;
}

inline std::vector<std::string> word_windows(std::string_view text, std::size_t count) {
  const std::vector<std::string> tokens = tokens_of(text);
  std::vector<std::string> windows;
  for (std::size_t i = 0; i + count <= tokens.size(); ++i) {
    std::string window;
    for (std::size_t j = i; j < i + count; ++j) window += tokens[j] + ' ';
    windows.push_back(window);
  }
  return windows;
}

inline std::vector<std::string> byte_windows(std::string_view text, std::size_t count) {
  std::string joined;
  for (const std::string& token : tokens_of(text)) joined += token + ' ';
  std::vector<std::string> windows;
  for (std::size_t i = 0; i + count <= joined.size(); ++i) windows.push_back(joined.substr(i, count));
  return windows;
}

inline std::size_t shared(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  const std::unordered_set<std::string> known(b.begin(), b.end());
  std::size_t count = 0;
  for (const std::string& window : a) count += known.count(window);
  return count;
}

inline SharedWindows shared_windows(std::string_view valid, std::string_view train) {
  return {shared(word_windows(valid, 8), word_windows(train, 8)),
          shared(byte_windows(valid, 50), byte_windows(train, 50)),
          shared(byte_windows(valid, 100), byte_windows(train, 100))};
}

}  // namespace cosformer::data::test
