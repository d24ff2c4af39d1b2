#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/split.h"
#include "data/vocabulary.h"

namespace cosformer::data {

/// Text to tokens and back: bytes, or words of a vocabulary.
class Tokenizer {
 public:
  /// A token is a byte.
  Tokenizer() = default;
  /// A token is a word, or the end of a line.
  explicit Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}

  /// That of data in a folder; the words are those of its train split.
  /// @throws IoError
  static Tokenizer of_data(const std::filesystem::path& folder, Format format);
  /// That of a model folder, as save() left it. @throws IoError; FormatError also if it has not this size
  static Tokenizer load(const std::filesystem::path& folder, Format format, int64_t vocabulary_size);
  /// Bytes need no file.
  void save(const std::filesystem::path& folder) const;

  int64_t vocabulary_size() const { return vocabulary_ ? vocabulary_->size() : 256; }
  const std::optional<Vocabulary>& vocabulary() const { return vocabulary_; }

  std::vector<int64_t> encode(std::string_view text) const;

  /// What a token adds to a text that ends in the token `before`: words are joined by spaces, and <eos> is a
  /// line end.
  std::string decode(int64_t token, std::optional<int64_t> before) const;
  std::string decode(std::span<const int64_t> tokens) const;

  friend bool operator==(const Tokenizer&, const Tokenizer&) = default;

 private:
  std::optional<Vocabulary> vocabulary_;
};

}  // namespace cosformer::data
