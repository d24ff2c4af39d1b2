#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/word_counts.h"

namespace cosformer::data {

inline constexpr const char* kVocabularyFile = "vocabulary.txt";

/// Words and their numbers. <eos> and <unk> are among them.
class Vocabulary {
 public:
  /// The words of a text (words.h), the most frequent first and equals in the order of their first
  /// occurrence; where the text lacks <unk>, it comes last.
  static Vocabulary of_text(std::string_view text);
  static Vocabulary of_counts(WordCounts counts);

  /// vocabulary.txt in `folder`: one word a line, the first has number 0.
  /// @throws IoError; FormatError if a word is empty, repeated or holds a space, or <eos> or <unk> is missing
  static Vocabulary load(const std::filesystem::path& folder);
  void save(const std::filesystem::path& folder) const;
  /// What vocabulary.txt holds.
  std::string text() const;

  int64_t size() const { return static_cast<int64_t>(words_.size()); }
  const std::string& word(int64_t token) const { return words_.at(static_cast<std::size_t>(token)); }
  int64_t end_of_line() const { return end_of_line_; }

  /// The number of a word, of <unk> for one that is not here.
  int64_t token(std::string_view word) const;

  friend bool operator==(const Vocabulary& a, const Vocabulary& b) { return a.words_ == b.words_; }

 private:
  explicit Vocabulary(std::vector<std::string> words);

  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::vector<std::string> words_;
  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> tokens_;
  int64_t end_of_line_ = 0, unknown_ = 0;
};

}  // namespace cosformer::data
