#include "data/vocabulary.h"

#include <algorithm>
#include <utility>

#include "cosformer/error.h"
#include "data/words.h"
#include "io/atomic_file.h"
#include "io/mapped_file.h"

namespace cosformer::data {
Vocabulary::Vocabulary(std::vector<std::string> words) : words_(std::move(words)) {
  for (std::size_t i = 0; i < words_.size(); ++i) tokens_.emplace(words_[i], static_cast<int64_t>(i));
  end_of_line_ = tokens_.at(std::string(kEndOfLine));
  unknown_ = tokens_.at(std::string(kUnknown));
}

Vocabulary Vocabulary::of_text(std::string_view text) {
  WordCounts counts;
  for_each_word_of_file(text, [&](std::string_view word) { counts.add(word); });
  return of_counts(std::move(counts));
}

Vocabulary Vocabulary::of_counts(WordCounts counts) {
  counts.add(kEndOfLine, 0);
  counts.add(kUnknown, 0);
  return Vocabulary(counts.by_frequency());
}

Vocabulary Vocabulary::load(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kVocabularyFile;
  const io::MappedFile mapped(file);
  std::string_view text = mapped.text();
  std::vector<std::string> words;
  std::unordered_map<std::string_view, std::size_t> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view word = text.substr(0, end);
    const std::string place = file.string() + ": line " + std::to_string(words.size() + 1) + ": expected ";
    if (word.empty() || word.find_first_of(" \t\r\v\f") != std::string_view::npos) {
      throw FormatError(place + "one word, got \"" + std::string(word) + '"');
    }
    if (const auto [before, is_new] = lines.emplace(word, words.size() + 1); !is_new) {
      throw FormatError(place + "a new word, got that of line " + std::to_string(before->second));
    }
    words.emplace_back(word);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  for (const std::string_view word : {kEndOfLine, kUnknown}) {
    if (!lines.contains(word)) {
      throw FormatError(file.string() + ": expected a line " + std::string(word) + ", got none");
    }
  }
  return Vocabulary(std::move(words));
}

std::string Vocabulary::text() const {
  std::string text;
  for (const std::string& word : words_) text += word + '\n';
  return text;
}

void Vocabulary::save(const std::filesystem::path& folder) const {
  io::write_file(folder / kVocabularyFile, text());
}

int64_t Vocabulary::token(std::string_view word) const {
  const auto found = tokens_.find(word);
  return found == tokens_.end() ? unknown_ : found->second;
}

}  // namespace cosformer::data
