#include "data/tokenizer.h"

#include "data/words.h"
#include "io/mapped_file.h"

namespace cosformer::data {

Tokenizer Tokenizer::of_data(const std::filesystem::path& folder, Format format) {
  if (format == Format::kBytes) return {};
  return Tokenizer(Vocabulary::of_text(io::MappedFile(split_file(folder, format, "train")).text()));
}

Tokenizer Tokenizer::load(const std::filesystem::path& folder, Format format) {
  if (format == Format::kBytes) return {};
  return Tokenizer(Vocabulary::load(folder));
}

void Tokenizer::save(const std::filesystem::path& folder) const {
  if (vocabulary_) vocabulary_->save(folder);
}

std::vector<int64_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int64_t> tokens;
  if (vocabulary_) {
    for_each_word(text, [&](std::string_view word) { tokens.push_back(vocabulary_->token(word)); });
  } else {
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
  }
  return tokens;
}

std::string Tokenizer::decode(int64_t token, std::optional<int64_t> before) const {
  if (!vocabulary_) return {static_cast<char>(token)};
  if (token == vocabulary_->end_of_line()) return "\n";
  const bool begins_line = !before || *before == vocabulary_->end_of_line();
  return (begins_line ? "" : " ") + vocabulary_->word(token);
}

std::string Tokenizer::decode(std::span<const int64_t> tokens) const {
  std::string text;
  std::optional<int64_t> before;
  for (const int64_t token : tokens) {
    text += decode(token, before);
    before = token;
  }
  return text;
}

}  // namespace cosformer::data
