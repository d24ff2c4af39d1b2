#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace cosformer::data {

/// How often each word of a text occurs (words.h), in the order of their first occurrence.
class WordCounts {
 public:
  WordCounts() = default;
  WordCounts(WordCounts&&) = default;
  WordCounts& operator=(WordCounts&&) = default;

  void add(std::string_view word, int64_t times = 1);
  /// Adds those of the text that follows.
  void add(const WordCounts& after);

  /// The words, the most frequent first and equals in the order of their first occurrence.
  std::vector<std::string> by_frequency() const;

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  struct Count {
    const std::string* word;  ///< a key of places_
    int64_t times;
  };
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> places_;
  std::vector<Count> counts_;
};

}  // namespace cosformer::data
